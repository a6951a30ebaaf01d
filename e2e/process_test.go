package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// bound is how long anything may take that should happen soon.
const bound = 15 * time.Second

// process is a program under the test's control.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	out    logtest.Buffer
	exited chan struct{}     // closed when it has ended
	dull   func(string) bool // lines of its output that say nothing about a failure; nil = none
}

// startProcess runs a program until the test ends, and shows its output if the test
// failed. env is added to the test's own environment.
func startProcess(t *testing.T, name string, env []string, argv ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(argv[0], argv[1:]...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that its children can be ended with it
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		text := p.out.String()
		if strings.Contains(text, "WARNING: DATA RACE") || strings.Contains(text, "panic: ") {
			t.Errorf("%s has a data race or panicked", name)
		}
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, p.telling(text))
		}
	})
	return p
}

// telling returns the end of the process' output, without routine lines.
func (p *process) telling(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if p.dull == nil || !p.dull(line) {
			b.WriteString(line)
		}
	}
	const limit = 16 << 10
	return b.String()[max(b.Len()-limit, 0):]
}

// kill ends the process and its children at once, as kill -9 does.
func (p *process) kill() {
	p.t.Helper()
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.wait()
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v to %s: %v", s, p.name, err)
	}
}

// hurry signals the process to end now. The process may have ended already.
func (p *process) hurry() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("interrupting %s: %v", p.name, err)
	}
}

// freeze stops the process, and returns after all of its threads have stopped: a thread
// on another processor continues for a moment after the signal.
func (p *process) freeze() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	waitFor(p.t, p.name+" to stand still", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		return err == nil && !slices.ContainsFunc(threads, func(file string) bool {
			raw, err := os.ReadFile(file)
			_, state, _ := bytes.Cut(raw, []byte(") "))
			return err == nil && !bytes.HasPrefix(state, []byte("T"))
		})
	})
}

// wait returns the exit code once the process has ended, -1 if a signal did it.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(bound):
		p.t.Fatalf("%s has not ended within %v", p.name, bound)
		return 0
	}
}

// ready waits until something answers at the address.
func (p *process) ready(network, address string) {
	p.t.Helper()
	waitFor(p.t, p.name+" to listen on "+address, func() bool {
		select {
		case <-p.exited:
			p.t.Fatalf("%s ended with code %d before it listened:\n%s", p.name, p.cmd.ProcessState.ExitCode(), p.out.String())
		default:
		}
		c, err := net.DialTimeout(network, address, time.Second)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// waitFor polls until cond holds.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(bound)
	for !cond() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited %v in vain for %s", bound, what)
		}
	}
}

// ports is the place of the next port in the range of freePort. It begins at random, for
// the sake of other runs at the same time.
var ports = func() *atomic.Int64 {
	var p atomic.Int64
	p.Store(rand.N[int64](portRange))
	return &p
}()

const portRange = 18_000

// freePort returns an unused port, and none twice: a parallel test may not have opened its
// port yet. The port is below the range for outgoing connections, so that it is still free
// after a restart.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 12_000 + int(ports.Add(1)%portRange)
		ln, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err == nil {
			ln.Close()
			return port
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	t.Fatal("found no free port in 100 tries")
	return 0
}

func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freePort(t))
}
