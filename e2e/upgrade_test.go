package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var upgrades = flag.Int("upgrades", 5, "how often TestUpgradeUnderLoad replaces the program")

// lastPID waits until n processes have logged that they serve, and returns the last one.
func (g *gate) servingPID(n int) int {
	g.t.Helper()
	pid := 0
	waitFor(g.t, fmt.Sprint("process ", n, " to serve"), func() bool {
		seen := 0
		for _, e := range g.log() {
			if e.Msg == "serving" {
				seen, pid = seen+1, e.PID
			}
		}
		return seen >= n
	})
	return pid
}

// SIGUSR2 replaces the program again and again, and no client notices. If a program
// cannot start, the old one continues to serve.
func TestUpgradeUnderLoad(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "a", "DELAY_MS=2")
	dir, address := t.TempDir(), freeAddress(t)
	file := writeFile(t, dir, "goodgate.yaml", fmt.Sprintf(
		"listeners: [%q, %q]\nshutdown: {lame_duck: 1s, grace: 5s}\npools: {app: {upstreams: [%q]}}\n", address, "unix:"+filepath.Join(dir, "gate.sock"), a.url()))
	program := filepath.Join(dir, "goodgate")
	install := func(from string) {
		t.Helper()
		install(t, from, program)
	}
	install(built.goodgate)
	g := &gate{address: address}
	// A shell as the parent outlives the first process, and the output stays open.
	g.process = startProcess(t, "goodgate", nil, "sh", "-c", fmt.Sprintf("cd %s && %s run -c %s; sleep 600", dir, program, file))
	g.dull = isPlain
	g.ready("tcp", address)
	l := startLoad(t, load{address: fixed(address), rate: 150, methods: mixed, keepAlive: true})
	l.more(20)
	pid := g.servingPID(1)

	writeFile(t, dir, "broken", "#!/bin/sh\necho 'a broken build'; exit 1\n")
	install(filepath.Join(dir, "broken"))
	syscall.Kill(pid, syscall.SIGUSR2)
	g.waitMessage("the new process does not serve")
	l.more(20)

	install(built.goodgate)
	for i := range *upgrades {
		syscall.Kill(pid, syscall.SIGUSR2)
		next := g.servingPID(i + 2)
		if next == pid {
			t.Fatalf("process %d serves still", pid)
		}
		pid = next
		l.more(30)
	}
	if info, err := os.Stat(filepath.Join(dir, "gate.sock")); err != nil || info.Mode().Type() != os.ModeSocket {
		t.Errorf("the socket file: %v, %v", info, err)
	}
	wantAllAnswered(t, l.finish())
	waitFor(t, "the old processes to end", func() bool {
		return strings.Count(g.out.String(), `"msg":"ended"`) == *upgrades
	})
	syscall.Kill(pid, syscall.SIGTERM)
	time.Sleep(10 * time.Millisecond)
	syscall.Kill(pid, syscall.SIGINT)
}

// install puts another program in the place of one, in one step.
func install(t *testing.T, from, program string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program+".new", data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(program+".new", program); err != nil {
		t.Fatal(err)
	}
}

// A new process that hangs delays no signal: SIGHUP is refused with a reason, SIGTERM
// drains at once, and a second SIGTERM ends the process.
func TestUpgradeThatHangs(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	file := writeFile(t, dir, "goodgate.yaml", fmt.Sprintf(
		"listeners: [%q]\nshutdown: {lame_duck: 10m}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}\n", address))
	program := filepath.Join(dir, "goodgate")
	install(t, built.goodgate, program)
	g := &gate{address: address}
	g.process = startProcess(t, "goodgate", nil, program, "run", "-c", file)
	g.dull = isPlain
	g.ready("tcp", address)
	pid := g.servingPID(1)
	writeFile(t, dir, "hangs", "#!/bin/sh\nexec sleep 600\n")
	install(t, filepath.Join(dir, "hangs"), program)
	syscall.Kill(pid, syscall.SIGUSR2)
	g.waitMessage("starting a new process to take over")
	syscall.Kill(pid, syscall.SIGHUP)
	g.waitMessage("configuration not reloaded; the last good one stays in use")
	syscall.Kill(pid, syscall.SIGTERM)
	g.waitMessage("shutting down")
	g.waitMessage("the new process does not serve")
	waitFor(t, "the process to end", func() bool {
		g.process.cmd.Process.Signal(syscall.SIGTERM)
		return strings.Contains(g.out.String(), `"msg":"ended"`)
	})
}
