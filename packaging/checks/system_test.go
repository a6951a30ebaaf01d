package checks

import (
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bound is the longest wait in a test.
const bound = 60 * time.Second

// system is a Debian that looks booted: a copy-on-write view of another one.
type system struct {
	t    *testing.T
	root string // path of its mount
}

// newSystem mounts the view, which disappears with the mount namespace.
func newSystem(t *testing.T) *system {
	needIsolation(t)
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	s := &system{t, filepath.Join(dir, "root")}
	for _, name := range []string{"upper", "work", "root"} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	must(t, unix.Mount("overlay", s.root, "overlay", 0, "lowerdir="+*lower+",upperdir="+dir+"/upper,workdir="+dir+"/work"))
	must(t, unix.Mount("proc", s.path("proc"), "proc", 0, ""))
	must(t, unix.Mount("/dev", s.path("dev"), "", unix.MS_BIND, ""))
	must(t, unix.Mount("tmpfs", s.path("run"), "tmpfs", 0, "mode=755"))
	must(t, os.MkdirAll(s.path("run/systemd/system"), 0o755)) // sd_booted(3)
	t.Cleanup(func() {
		for _, name := range []string{"run", "dev", "proc", ""} {
			unix.Unmount(s.path(name), unix.MNT_DETACH)
		}
	})
	s.supervise()
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *system) path(name string) string { return filepath.Join(s.root, name) }

// supervise installs a substitute for systemctl, and receives goodgate's notifications
// like systemd.
func (s *system) supervise() {
	must(s.t, os.MkdirAll(s.path("run/standin"), 0o755))
	script, err := os.ReadFile("testdata/systemctl")
	must(s.t, err)
	os.Remove(s.path("usr/sbin/policy-rc.d"))       // may forbid starting services
	os.Remove(s.path("var/lib/man-db/auto-update")) // indexing this machine's manual takes longer than the test
	if s.exists("usr/bin/systemctl") {
		must(s.t, os.Rename(s.path("usr/bin/systemctl"), s.path("usr/bin/systemctl.real")))
	}
	must(s.t, os.WriteFile(s.path("usr/bin/systemctl"), script, 0o755))
	socket := s.path("run/standin/notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	must(s.t, err)
	must(s.t, os.Chmod(socket, 0o777))
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		b := make([]byte, 4096)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			for line := range strings.Lines(string(b[:n])) {
				if pid, ok := strings.CutPrefix(strings.TrimSpace(line), "MAINPID="); ok {
					os.WriteFile(s.path("run/standin/main"), []byte(pid+"\n"), 0o644)
				}
			}
		}
	}()
	s.t.Cleanup(func() { c.Close(); <-heard })
}

// run runs a program in the system, and returns its output and whether it succeeded.
func (s *system) run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*bound)
	defer cancel()
	out, err := s.command(ctx, name, args...).CombinedOutput()
	return string(out), err
}

func (s *system) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "/usr/bin/env", append([]string{name}, args...)...) // looks up the name inside the system
	c.Dir = "/"
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "HOME=/root"}
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: s.root}
	return c
}

// want runs a program in the system, and fails the test if the program fails.
func (s *system) want(name string, args ...string) string {
	s.t.Helper()
	out, err := s.run(name, args...)
	if err != nil {
		s.t.Fatalf("%s %v: %v\n%s\n%s", name, args, err, out, s.journal())
	}
	s.t.Logf("%s %s\n%s", name, strings.Join(args, " "), out)
	return out
}

func (s *system) journal() string {
	b, _ := os.ReadFile(s.path("run/standin/journal"))
	asked, _ := os.ReadFile(s.path("run/standin/log"))
	return string(b) + "systemctl was called with:\n" + string(asked)
}

// mainPID returns the main process, in systemd's sense.
func (s *system) mainPID() string {
	return strings.TrimSpace(s.want("systemctl", "show", "--property", "MainPID", "--value", "goodgate.service"))
}

// copyIn copies a file of the machine into the system.
func (s *system) copyIn(from string) string {
	s.t.Helper()
	b, err := os.ReadFile(from)
	must(s.t, err)
	name := "/var/tmp/" + filepath.Base(from)
	must(s.t, os.WriteFile(s.path(name), b, 0o644))
	return name
}

func (s *system) write(name, text string) {
	s.t.Helper()
	must(s.t, os.WriteFile(s.path(name), []byte(text), 0o644))
}

func (s *system) exists(name string) bool {
	_, err := os.Lstat(s.path(name))
	return err == nil
}

// traces returns every file of the system with goodgate in its name, and every line
// with goodgate in the lists of users.
func (s *system) traces() (found []string) {
	for _, top := range []string{"etc", "usr", "var", "run", "opt"} {
		filepath.WalkDir(s.path(top), func(p string, d fs.DirEntry, err error) error {
			name, _ := filepath.Rel(s.root, p)
			switch {
			case err != nil, name == "var/tmp":
				return fs.SkipDir
			case strings.Contains(d.Name(), "goodgate"):
				found = append(found, name)
			}
			return nil
		})
	}
	for _, list := range []string{"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"} {
		if b, _ := os.ReadFile(s.path(list)); strings.Contains(string(b), "goodgate") {
			found = append(found, list)
		}
	}
	return found
}
