package e2e_test

import (
	"encoding/json"
	"net"
	"strings"
	"syscall"
	"testing"
)

// adminOf returns the address of the admin listener that a goodgate has logged.
func (g *gate) adminOf(t *testing.T) string {
	t.Helper()
	var address string
	waitFor(t, "the admin API", func() bool {
		for line := range strings.Lines(g.out.String()) {
			var e struct{ Msg, Address string }
			if json.Unmarshal([]byte(line), &e) == nil && e.Msg == "admin API" {
				address = e.Address
			}
		}
		return address != ""
	})
	return address
}

// goodgate serves the admin API without a file, too. A second goodgate on the machine
// takes another address instead of failing, and keeps it when the program is replaced.
func TestFirstSteps(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "a")
	one, two := startSidecar(t, a.url()), startSidecar(t, a.url())
	first, second := one.adminOf(t), two.adminOf(t)
	if first == second {
		t.Fatalf("both are at %s", first)
	}
	for _, address := range []string{first, second} {
		if host, _, _ := net.SplitHostPort(address); host != "127.0.0.1" {
			t.Errorf("the API is at %s", address)
		}
		if got := one.command(t, "status", "--admin", address); !strings.Contains(got, a.address) {
			t.Errorf("status of %s: %s", address, got)
		}
		if got := one.command(t, "drain", a.url()+"/", "--admin", "http://"+address+"/"); !strings.Contains(got, "0 of 1 left") {
			t.Errorf("drain: %s", got)
		}
		one.command(t, "on", a.address, "--admin", address)
	}
	wantCommand(t, 2, "goodgates answer on this machine: choose one with --admin", "status")
	wantCommand(t, 1, "so it has no configuration file to reload", "reload", "--admin", second)
	if got := one.command(t, "status", "--admin", second); strings.Contains(got, "reload failed") {
		t.Errorf("status after a reload without a file: %s", got)
	}

	two.signal(syscall.SIGUSR2)
	waitFor(t, "the new process", func() bool { return strings.Count(two.out.String(), `"msg":"serving"`) == 2 })
	var s struct{ PID int }
	if err := json.Unmarshal([]byte(two.command(t, "status", "--admin", second, "-o", "json")), &s); err != nil || s.PID == two.cmd.Process.Pid {
		t.Errorf("process %d answers at %s after the upgrade, %v", s.PID, second, err)
	}
	syscall.Kill(s.PID, syscall.SIGKILL)
	one.finish()
}

// Without a file, --admin moves the admin listener or turns it off, and GOODGATE_TOKEN
// protects it.
func TestAdminFlag(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "a")
	run := func(env []string, args ...string) *gate {
		g := &gate{address: freeAddress(t)}
		argv := append([]string{built.goodgate, "run", "--listen", g.address, "--to", a.url()}, args...)
		g.process = startProcess(t, "goodgate", env, argv...)
		g.dull = isPlain
		g.ready("tcp", g.address)
		return g
	}
	off := run(nil, "--admin", "off")
	if strings.Contains(off.out.String(), "admin API") {
		t.Error("off has an admin API")
	}
	address := freeAddress(t)
	locked := run([]string{"GOODGATE_TOKEN=0123456789abcdef"}, "--admin", address)
	if got := locked.adminOf(t); got != address {
		t.Errorf("the API is at %s, want %s", got, address)
	}
	wantCommand(t, 1, "token", "status", "--admin", address)
	wantCommand(t, 1, "is in use by goodgate (pid ", "run", "--listen", "127.0.0.1:0", "--to", a.url(), "--admin", address)
	wantCommand(t, 1, "no goodgate answers at "+freeAddress(t)[:10], "status", "--admin", freeAddress(t))
}
