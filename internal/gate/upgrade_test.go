package gate

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// hang starts an upgrade to a program that never serves, and returns when it is in
// progress, with a channel for the result.
func (r *running) hang(t *testing.T) <-chan error {
	t.Helper()
	program, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.gate.Upgrade(program, []string{"600"}) }()
	eventually(t, "the upgrade to begin", func() bool {
		if !r.gate.mu.TryLock() { // a mutex held for so long is the fault
			return false
		}
		defer r.gate.mu.Unlock()
		return r.gate.upgrade != nil
	}, func() string { return "" })
	return ended
}

// While a new process fails to serve, another upgrade or reload is refused with the
// reason. The gate can be shut down at any time: its clients are asked to leave, and
// the new process ends.
func TestUpgradeThatHangs(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	c := parse(t, fmt.Sprintf("listeners: [\"unix:%s\"]\nshutdown: {lame_duck: 10m}\npools: {app: {upstreams: [%q]}}", sock, app(t, "one")))
	g := start(t, c, Options{})
	conn := dialUnix(t, sock)
	upgrade := g.hang(t)
	if _, err := g.gate.Reload(c); !errors.Is(err, errUpgrading) {
		t.Errorf("a reload meanwhile: got %v, want %v", err, errUpgrading)
	}
	if err := g.gate.Upgrade("/nowhere", nil); !errors.Is(err, errUpgrading) {
		t.Errorf("another upgrade meanwhile: got %v, want %v", err, errUpgrading)
	}
	if got := conn.get(t); got != "200 keep" {
		t.Errorf("a client meanwhile: %s", got)
	}
	cause := errors.New("a test ends it")
	g.gate.Shutdown(cause)
	if err := <-upgrade; !errors.Is(err, cause) {
		t.Errorf("the upgrade: got %v, want %v", err, cause)
	}
	eventually(t, "clients to be told to leave", func() bool { return dialUnix(t, sock).get(t) == "200 close" }, func() string { return "" })
	if err := g.gate.Upgrade("/nowhere", nil); !errors.Is(err, errNotRunning) {
		t.Errorf("an upgrade afterwards: got %v, want %v", err, errNotRunning)
	}
	if _, err := g.gate.Reload(c); !errors.Is(err, errNotRunning) {
		t.Errorf("a reload afterwards: got %v, want %v", err, errNotRunning)
	}
	close(g.now) // as a second signal does
	if err := <-g.ended; err != nil {
		t.Error(err)
	}
	g.ended <- nil
}

// An upgrade that fails leaves everything as it was: the configuration can be
// replaced again, and the socket's file is this process's.
func TestUpgradeThatFails(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	c := parse(t, fmt.Sprintf("listeners: [\"unix:%s\"]\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [%q]}}", sock, app(t, "one")))
	g := start(t, c, Options{})
	for _, program := range []string{"/nowhere", "false"} {
		if path, err := exec.LookPath(program); err == nil {
			program = path
		}
		if err := g.gate.Upgrade(program, nil); err == nil {
			t.Errorf("%s: no error", program)
		}
		g.reload(t, c)
		if got := dialUnix(t, sock).get(t); got != "200 keep" {
			t.Errorf("%s: afterwards %s", program, got)
		}
	}
}

// TestShutdownDoesNotWait: a shutdown does not wait for a change in progress.
func TestShutdownDoesNotWait(t *testing.T) {
	g := start(t, parse(t, fmt.Sprintf("listeners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [%q]}}", app(t, "one"))), Options{})
	g.gate.mu.Lock()
	g.gate.Shutdown(errors.New("a test ends it"))
	g.gate.mu.Unlock()
	if err := <-g.ended; err != nil {
		t.Error(err)
	}
	g.ended <- nil
}
