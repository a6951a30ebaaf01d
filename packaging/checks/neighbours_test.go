package checks

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ownDeb returns the .deb for this machine.
func ownDeb(t *testing.T) string {
	t.Helper()
	need(t, "dpkg", "dpkg-deb", "unshare")
	return released(t, *dist, "goodgate_*_"+debArch(t)+".deb")
}

// TestConffile checks that a package's new version of the configuration replaces an
// unedited one, and keeps an edited one. After a purge nothing is left, not even
// goodgate's own state.
func TestConffile(t *testing.T) {
	first := ownDeb(t)
	const extra = "# a new word\n"
	second := altered(t, first, func(content string) {
		file := filepath.Join(content, configFile)
		text, err := os.ReadFile(file)
		must(t, err)
		must(t, os.WriteFile(file, append(text, extra...), 0o644))
	})
	s := newSystem(t)
	one, two := s.copyIn(first), s.copyIn(second)
	text := func() string {
		b, err := os.ReadFile(s.path(configFile))
		must(t, err)
		return string(b)
	}
	s.want("dpkg", "--install", one)
	s.want("dpkg", "--install", two)
	if !strings.HasSuffix(text(), extra) {
		t.Error("the configuration that nobody edited is the old one")
	}
	s.want("dpkg", "--install", one)
	s.write(configFile, proxying)
	before := s.mainPID()
	s.want("dpkg", "--force-confold", "--install", two)
	if text() != proxying || !s.exists(configFile+".dpkg-dist") {
		t.Errorf("the configuration that was edited is now\n%s", text())
	}
	if after := s.mainPID(); after == before || after == "0" {
		t.Errorf("process %s, before %s", after, before)
	}
	if !eventually(func() bool { return !alive(t, before) }) { // systemd would kill the process at the stop
		t.Errorf("process %s goes on", before)
	}
	for _, name := range []string{"/var/lib/goodgate/state.json", "/var/lib/goodgate/acme/account.key", "/var/log/goodgate/access.log.1.gz"} {
		must(t, os.MkdirAll(filepath.Dir(s.path(name)), 0o700))
		s.write(name, "x")
	}
	s.want("dpkg", "--remove", "goodgate")
	if !s.exists("/var/lib/goodgate/state.json") {
		t.Error("the removal takes the state, which only a purge may")
	}
	s.want("dpkg", "--purge", "goodgate")
	if left := s.traces(); len(left) > 0 {
		t.Errorf("left after the purge: %q", left)
	}
}

// TestDowngrade checks that a downgrade loses no request either.
func TestDowngrade(t *testing.T) {
	first := ownDeb(t)
	s := newSystem(t)
	one, two := s.copyIn(first), s.copyIn(nextDeb(t, first))
	s.want("dpkg", "--install", two)
	startApp(t, "127.0.0.1:3000")
	s.write(configFile, proxying)
	s.want("systemctl", "reload", "goodgate.service")
	if !eventually(func() bool { _, body := get(page); return body == "the application\n" }) {
		t.Fatalf("the application is not reached\n%s", s.journal())
	}
	upgradeUnderLoad(t, s, []string{"dpkg", "--install", one})
	s.want("dpkg", "--purge", "goodgate")
}

// TestOwners checks that the service can write only where it needs to.
func TestOwners(t *testing.T) {
	s := newSystem(t)
	s.want("dpkg", "--install", s.copyIn(ownDeb(t)))
	for name, want := range map[string]string{
		"/usr/bin/goodgate": "root:root 755", "/etc/goodgate": "root:root 755", configFile: "root:root 644",
		"/var/lib/goodgate": "goodgate:goodgate 750", "/var/log/goodgate": "goodgate:goodgate 750",
	} {
		if got := strings.TrimSpace(s.want("stat", "--format", "%U:%G %a", name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	s.want("dpkg", "--purge", "goodgate")
}

// TestWithoutSystemd checks that in a container, or under another supervisor, the
// package installs, upgrades and uninstalls without systemd.
func TestWithoutSystemd(t *testing.T) {
	first := ownDeb(t)
	s := newSystem(t)
	must(t, os.RemoveAll(s.path("run/systemd")))
	one, two := s.copyIn(first), s.copyIn(nextDeb(t, first))
	s.want("dpkg", "--install", one)
	s.want("id", "goodgate")
	s.want("goodgate", "check", configFile)
	s.want("dpkg", "--install", two)
	if got := strings.TrimSpace(s.want("stat", "--format", "%U:%G %a", "/run/goodgate")); got != "goodgate:goodgate 750" {
		t.Errorf("/run/goodgate is %s", got)
	}
	runWithoutSystemd(t, s)
	s.want("dpkg", "--remove", "goodgate")
	s.want("dpkg", "--purge", "goodgate")
	if left := s.traces(); len(left) > 0 {
		t.Errorf("left after the purge: %q", left)
	}
	asked, _ := os.ReadFile(s.path("run/standin/log"))
	for line := range strings.Lines(string(asked)) {
		if !strings.HasPrefix(line, "--root=") {
			t.Errorf("systemctl was called with %s", line)
		}
	}
}

// runWithoutSystemd starts goodgate like another supervisor, and stops it.
func runWithoutSystemd(t *testing.T, s *system) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := s.command(ctx, "setpriv", "--reuid", "goodgate", "--regid", "goodgate", "--init-groups", "goodgate", "run", "--config", configFile)
	must(t, c.Start())
	if !eventually(func() bool { status, _ := get(page); return status == 503 }) {
		t.Error("nobody answers on port 8080")
	}
	s.want("goodgate", "health", "--config", configFile)
	cancel()
	c.Wait()
}
