package checks

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager is a package manager in a system, with the files of two versions.
type manager struct {
	install, upgrade, remove, purge []string
}

func TestDeb(t *testing.T) {
	need(t, "dpkg", "dpkg-deb", "unshare")
	first := released(t, *dist, "goodgate_*_"+debArch(t)+".deb")
	second := nextDeb(t, first)
	s := newSystem(t)
	one, two := s.copyIn(first), s.copyIn(second)
	lifecycle(t, s, manager{
		[]string{"dpkg", "--install", one}, []string{"dpkg", "--install", two}, []string{"dpkg", "--remove", "goodgate"}, []string{"dpkg", "--purge", "goodgate"},
	})
}

func debArch(t *testing.T) string {
	return strings.TrimSpace(output(t, "dpkg", "--print-architecture"))
}

var versionField = regexp.MustCompile(`(?m)^Version: .*$`)

// nextDeb returns a package to upgrade to: the next release, or else the same content
// with a higher version. dpkg cannot tell the difference.
func nextDeb(t *testing.T, first string) string {
	if *next != "" {
		return released(t, *next, "goodgate_*_"+debArch(t)+".deb")
	}
	return altered(t, first, func(string) {})
}

// altered returns a package with a higher version, after edit has changed the folder of
// its content.
func altered(t *testing.T, first string, edit func(content string)) string {
	t.Helper()
	dir := t.TempDir()
	content := filepath.Join(dir, "content")
	output(t, "dpkg-deb", "--raw-extract", first, content)
	control := filepath.Join(content, "DEBIAN", "control")
	text, err := os.ReadFile(control)
	must(t, err)
	must(t, os.WriteFile(control, versionField.ReplaceAll(text, []byte("Version: 999.0-1")), 0o644))
	edit(content)
	second := filepath.Join(dir, "goodgate_next.deb")
	output(t, "dpkg-deb", "-Znone", "--root-owner-group", "--build", content, second)
	return second
}

func TestRPM(t *testing.T) {
	need(t, "rpm", "unshare")
	if *next == "" {
		t.Skip("needs a later version in -next")
	}
	pattern := "goodgate-*." + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[debArch(t)] + ".rpm"
	first, second := released(t, *dist, pattern), released(t, *next, pattern)
	s := newSystem(t)
	one, two := s.copyIn(first), s.copyIn(second)
	rpm := func(args ...string) []string { return append([]string{"rpm", "--force-debian", "--nodeps"}, args...) }
	lifecycle(t, s, manager{rpm("--install", one), rpm("--upgrade", two), rpm("--erase", "goodgate"), nil})
}

const (
	configFile = "/etc/goodgate/goodgate.yaml"
	page       = "http://127.0.0.1:8080/"
	proxying   = `listeners: ["127.0.0.1:8080"]
admin: {address: "unix:/run/goodgate/admin.sock"}
shutdown: {lame_duck: 1s, grace: 5s}
pools: {app: {upstreams: ["http://127.0.0.1:3000"]}}
`
)

// lifecycle installs a package, upgrades it under load, and removes it.
func lifecycle(t *testing.T, s *system, m manager) {
	s.want(m.install[0], m.install[1:]...)
	if m.purge == nil && s.mainPID() == "0" {
		s.want("systemctl", "start", "goodgate.service") // RPM leaves the start to the operator
	}
	wantInstalled(t, s)

	startApp(t, "127.0.0.1:3000")
	s.write(configFile, proxying)
	s.want("goodgate", "check", configFile)
	s.want("systemctl", "reload", "goodgate.service")
	if !eventually(func() bool { _, body := get(page); return body == "the application\n" }) {
		t.Fatalf("the application is not reached\n%s", s.journal())
	}
	upgradeUnderLoad(t, s, m.upgrade)

	s.write(configFile, "listeners: [nonsense]\n")
	before := s.mainPID()
	out := s.want(m.upgrade[0], again(m.upgrade[1:])...)
	if got := s.mainPID(); got != before || !strings.Contains(out, "goodgate check") {
		t.Errorf("with a wrong configuration: process %s, before %s, said %q", got, before, out)
	}
	if _, body := get(page); body != "the application\n" {
		t.Errorf("with a wrong configuration the old process answers %q", body)
	}
	s.write(configFile, proxying)
	remove(t, s, m)
}

// again returns the arguments for installing the same version once more.
func again(args []string) []string {
	if i := slices.Index(args, "--upgrade"); i >= 0 {
		return slices.Concat(args[:i], []string{"--upgrade", "--replacepkgs"}, args[i+1:])
	}
	return args
}

func wantInstalled(t *testing.T, s *system) {
	t.Helper()
	if status, body := get(page); status != 503 || !strings.Contains(body, configFile) {
		t.Errorf("got %d %q, want a page that says what to edit\n%s", status, body, s.journal())
	}
	pid := s.mainPID()
	uid := strings.TrimSpace(s.want("id", "-u", "goodgate"))
	if status, err := os.ReadFile("/proc/" + pid + "/status"); err != nil || !strings.Contains(string(status), "\nUid:\t"+uid+"\t") {
		t.Errorf("process %s does not run as goodgate, %s: %v\n%s", pid, uid, err, status)
	}
	s.want("goodgate", "health", "--config", configFile)
	s.want("goodgate", "status", "--config", configFile)
	if out := s.want("goodgate", "version"); !strings.HasPrefix(out, "goodgate v") {
		t.Errorf("goodgate version: %q", out)
	}
	for _, name := range []string{
		"/usr/share/man/man1/goodgate-run.1.gz", "/usr/share/bash-completion/completions/goodgate",
		"/usr/lib/systemd/system/goodgate.socket", "/etc/logrotate.d/goodgate", "/usr/share/doc/goodgate/config.example.yaml",
	} {
		if !s.exists(name) {
			t.Errorf("%s is missing", name)
		}
	}
	s.want("goodgate", "check", configFile)
}

func upgradeUnderLoad(t *testing.T, s *system, upgrade []string) {
	t.Helper()
	before := s.mainPID()
	l := startLoad(t, page)
	l.more(200)
	s.want(upgrade[0], upgrade[1:]...)
	after := s.mainPID()
	l.more(200)
	gone := eventually(func() bool { return !alive(t, before) })
	l.more(200)
	n, failed := l.end()
	t.Logf("upgraded from process %s to %s within %d requests, %d failed", before, after, n, len(failed))
	if len(failed) > 0 {
		t.Errorf("%d of %d requests failed, the first: %s\n%s", len(failed), n, failed[0], s.journal())
	}
	if after == before || after == "0" || !gone {
		t.Errorf("process %s, before %s; the one before ended: %v\n%s", after, before, gone, s.journal())
	}
	if text, err := os.ReadFile(s.path(configFile)); err != nil || string(text) != proxying {
		t.Errorf("the configuration is %q, %v after the upgrade", text, err)
	}
}

func remove(t *testing.T, s *system, m manager) {
	t.Helper()
	pid := s.mainPID()
	s.want(m.remove[0], m.remove[1:]...)
	if alive(t, pid) {
		t.Errorf("process %s goes on after the removal", pid)
	}
	if m.purge == nil {
		return
	}
	comesBack(t, s, m)
	if !s.exists(configFile) {
		t.Errorf("%s is gone before the purge", configFile)
	}
	s.want(m.purge[0], m.purge[1:]...)
	if left := s.traces(); len(left) > 0 {
		t.Errorf("left after the purge: %q", left)
	}
}

// comesBack installs the package after its removal, stops the service, upgrades the
// package, checks that the service is still stopped, and removes the package again.
func comesBack(t *testing.T, s *system, m manager) {
	t.Helper()
	s.want(m.install[0], m.install[1:]...)
	if _, body := get(page); body != "the application\n" {
		t.Errorf("installed again it answers %q\n%s", body, s.journal())
	}
	s.want("systemctl", "stop", "goodgate.service")
	s.want(m.upgrade[0], m.upgrade[1:]...)
	if pid := s.mainPID(); pid != "0" {
		t.Errorf("the upgrade started a service that was stopped, process %s", pid)
	}
	s.want(m.remove[0], m.remove[1:]...)
}

// alive reports whether a process exists, at least as a zombie.
func alive(t *testing.T, pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func get(url string) (status int, body string) {
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: bound}).Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

// eventually waits until so returns true, at most a minute.
func eventually(so func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(bound); time.Now().Before(end); <-tick.C {
		if so() {
			return true
		}
	}
	return so()
}

// TestLintian checks that the package follows Debian's policy.
func TestLintian(t *testing.T) {
	need(t, "lintian")
	package_ := released(t, *dist, "goodgate_*_"+debArch(t)+".deb")
	c := exec.CommandContext(t.Context(), "lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", package_)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}
