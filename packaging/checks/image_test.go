package checks

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// container is an image, unpacked by a program that does not know goodgate.
type container struct {
	t       *testing.T
	rootfs  string
	process struct {
		Args []string
		Cwd  string
		Env  []string
		User struct{ UID, GID uint32 }
	}
}

func unpack(t *testing.T) *container {
	needIsolation(t)
	need(t, "skopeo", "umoci")
	archive := released(t, *dist, "goodgate-*-oci.tar")
	dir := t.TempDir()
	output(t, "skopeo", "--override-os", "linux", "--override-arch", debArch(t), "copy", "--quiet", "oci-archive:"+archive, "oci:"+dir+"/oci:own")
	output(t, "umoci", "unpack", "--image", dir+"/oci:own", dir+"/bundle")
	text, err := os.ReadFile(filepath.Join(dir, "bundle", "config.json"))
	must(t, err)
	c := &container{t: t, rootfs: filepath.Join(dir, "bundle", "rootfs")}
	must(t, json.Unmarshal(text, &struct{ Process any }{&c.process}))
	return c
}

// command returns the command that Docker would run with these arguments; without
// arguments, the image's own.
func (c *container) command(ctx context.Context, args ...string) *exec.Cmd {
	if len(args) == 0 {
		args = c.process.Args[1:]
	}
	cmd := exec.CommandContext(ctx, c.process.Args[0], args...)
	cmd.Dir, cmd.Env = c.process.Cwd, c.process.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: c.rootfs, Credential: &syscall.Credential{Uid: c.process.User.UID, Gid: c.process.User.GID}, Pdeathsig: syscall.SIGKILL,
	}
	return cmd
}

// running starts the image, calls do, and stops the image with its stop signal.
func (c *container) running(do func(), args ...string) {
	c.t.Helper()
	cmd := c.command(c.t.Context(), args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	must(c.t, cmd.Start())
	if !eventually(func() bool { status, _ := get(page); return status != 0 }) {
		c.t.Error("nobody answers on port 8080")
	}
	do()
	must(c.t, cmd.Process.Signal(syscall.SIGTERM))
	must(c.t, cmd.Process.Signal(syscall.SIGTERM)) // another test covers the drain
	timer := time.AfterFunc(bound, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err != nil {
		c.t.Errorf("%v: %v\n%s", args, err, said.String())
	}
}

// health runs the image's health check and checks its exit code.
func (c *container) health(want int) {
	c.t.Helper()
	cmd := c.command(c.t.Context(), imageSettings(c.t).Config.Healthcheck.Test[2:]...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != want {
		c.t.Errorf("the health check ended with %d, want %d: %s", got, want, out)
	}
}

func TestImageRuns(t *testing.T) {
	c := unpack(t)
	if c.process.User.UID != 65532 || c.process.Args[0] != "/goodgate" {
		t.Errorf("the image runs %v as %+v", c.process.Args, c.process.User)
	}
	c.health(1)
	c.running(func() {
		if status, body := get(page); status != 503 || !strings.Contains(body, "/etc/goodgate/goodgate.yaml") {
			t.Errorf("without a configuration: %d %q", status, body)
		}
		c.health(0)
	})
	startApp(t, "127.0.0.1:3000")
	c.running(func() {
		if status, body := get(page); status != 200 || body != "the application\n" {
			t.Errorf("run --to: %d %q", status, body)
		}
	}, "run", "--listen", ":8080", "--to", "http://127.0.0.1:3000")
}

// TestImageHolds checks that the image has only the files that goodgate needs, and that
// all users can read and none can change them.
func TestImageHolds(t *testing.T) {
	c := unpack(t)
	var files []string
	must(t, filepath.WalkDir(c.rootfs, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(c.rootfs, p)
		files = append(files, name)
		info, err := d.Info()
		if err == nil && (info.Mode().Perm()&0o444 != 0o444 || info.Mode().Perm()&0o022 != 0) {
			t.Errorf("%s has the mode %v", name, info.Mode())
		}
		return err
	}))
	want := []string{
		"etc/goodgate/goodgate.yaml", "etc/group", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "goodgate",
		"licenses/LICENSE", "licenses/licenses.txt",
	}
	if !slices.Equal(files, want) {
		t.Errorf("the image holds %q, want %q", files, want)
	}
	certs, err := os.ReadFile(filepath.Join(c.rootfs, "etc/ssl/certs/ca-certificates.crt"))
	must(t, err)
	if n := strings.Count(string(certs), "BEGIN CERTIFICATE"); n < 100 {
		t.Errorf("%d authorities, want all that Mozilla trusts", n)
	}
}

// settings are the settings of an image in Docker's form.
type settings struct {
	Architecture string
	Created      time.Time
	Config       struct {
		User, StopSignal string
		Entrypoint, Cmd  []string
		ExposedPorts     map[string]struct{}
		Labels           map[string]string
		Healthcheck      struct{ Test []string }
	}
}

func imageSettings(t *testing.T) (s settings) {
	t.Helper()
	file := released(t, *dist, "goodgate-*-"+debArch(t)+"-image.tar")
	must(t, json.Unmarshal([]byte(output(t, "skopeo", "inspect", "--config", "--raw", "docker-archive:"+file)), &s))
	return s
}

func TestImageSettings(t *testing.T) {
	need(t, "skopeo", "dpkg")
	s := imageSettings(t)
	c := s.Config
	if c.StopSignal != "SIGTERM" || c.User != "65532:65532" || len(c.Healthcheck.Test) < 3 || c.Healthcheck.Test[1] != "/goodgate" {
		t.Errorf("settings %+v", c)
	}
	if _, ok := c.ExposedPorts["8080/tcp"]; !ok {
		t.Errorf("ports %v", c.ExposedPorts)
	}
	for _, label := range []string{"version", "revision", "created", "licenses", "source", "title", "description"} {
		if c.Labels["org.opencontainers.image."+label] == "" {
			t.Errorf("no label %s", label)
		}
	}
	archive := released(t, *dist, "goodgate-*-oci.tar")
	for _, arch := range []string{"amd64", "arm64"} {
		var other settings
		must(t, json.Unmarshal([]byte(output(t, "skopeo", "--override-os", "linux", "--override-arch", arch, "inspect", "--config", "oci-archive:"+archive)), &other))
		if other.Architecture != arch || !slices.Equal(other.Config.Entrypoint, c.Entrypoint) || !slices.Equal(other.Config.Cmd, c.Cmd) {
			t.Errorf("%s: %+v", arch, other)
		}
	}
}
