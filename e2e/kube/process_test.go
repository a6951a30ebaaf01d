package kube_test

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bound is how long anything may take that should happen soon. A kube-apiserver takes a while.
const bound = time.Minute

// output collects a process' output.
type output struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// process is a program under the test's control.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
}

// startProcess runs a program until the test ends, and shows the end of its output if
// the test failed.
func startProcess(t *testing.T, argv ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			var telling strings.Builder
			for line := range strings.Lines(p.out.String()) {
				if !strings.Contains(line, `"msg":"request"`) {
					telling.WriteString(line)
				}
			}
			text := telling.String()
			t.Logf("the end of the output of %s:\n%s", argv[0], text[max(len(text)-4<<10, 0):])
		}
	})
	return p
}

// kill is kill -9.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// waitFor polls until cond holds.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
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

// freeAddress returns an unused address. Its port is below the range of ports for
// outgoing connections, so that it is still free after a restart.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := "127.0.0.1:" + strconv.Itoa(12000+rand.N(18000))
		if ln, err := net.Listen("tcp", address); err == nil {
			ln.Close()
			return address
		}
	}
	t.Fatal("found no free port in 100 tries")
	return ""
}
