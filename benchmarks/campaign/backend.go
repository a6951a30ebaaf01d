package main

import (
	"bufio"
	_ "embed" // for nodeApp
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// roleFlag makes this program run as a backend.
const roleFlag = "-as-backend"

const (
	readyLine = "ready"
	readyMax  = 5 * time.Second
)

// ledger counts how often each request was executed. It may be used by several
// goroutines.
type ledger struct {
	mu    sync.Mutex     // protects times
	times map[string]int // by "METHOD id"
}

func newLedger() *ledger { return &ledger{times: map[string]int{}} }

func (l *ledger) executed(request string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times[request]++
}

// duplicated returns how many requests that must not be executed twice were.
func (l *ledger) duplicated() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for request, times := range l.times {
		if times > 1 && strings.HasPrefix(request, "POST ") {
			n++
		}
	}
	return n
}

// backend is a server process that can be made faulty. Its methods are for one
// goroutine.
type backend struct {
	addr   string
	at     place
	traits traits
	ledger *ledger
	names  *nameServer // nil = backends go by their addresses

	cmd     *exec.Cmd
	control io.WriteCloser // the process's standard input
	reads   sync.WaitGroup // of its standard output
}

// traits are what a case's backends are like from the beginning.
type traits struct {
	idle time.Duration // connections unused for so long are closed; 0 = kept
	work time.Duration // that an answer takes; 0 = 1 ms
	node bool          // a Node.js application, which knows no faults
	h2   bool          // HTTP/2 without TLS too
}

// newBackend starts a backend.
func newBackend(addr string, at place, t traits, l *ledger) (*backend, error) {
	if t.work == 0 {
		t.work = time.Millisecond
	}
	b := &backend{addr: addr, at: at, traits: t, ledger: l}
	return b, b.start()
}

// nodeApp is the application of backends with the trait node.
//
//go:embed node/app.js
var nodeApp string

func (b *backend) command() *exec.Cmd {
	if b.traits.node {
		host, port, _ := net.SplitHostPort(b.addr)
		return exec.Command("node", "-e", nodeApp, "--", host, port, fmt.Sprint(b.traits.work.Milliseconds()))
	}
	return exec.Command(os.Args[0], roleFlag, b.addr, b.traits.idle.String(), b.traits.work.String(), fmt.Sprint(b.traits.h2))
}

// start starts the process and returns when it listens.
func (b *backend) start() error {
	b.cmd = b.command()
	b.cmd.Stderr = os.Stderr
	control, err1 := b.cmd.StdinPipe()
	out, err2 := b.cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	b.control = control
	var err error
	b.at.do(func() { err = b.cmd.Start() })
	if err != nil {
		return fmt.Errorf("starting a backend: %w", err)
	}
	ready := make(chan struct{})
	b.reads.Go(func() { b.read(out, ready) })
	select {
	case <-ready:
		return nil
	case <-time.After(readyMax):
		return errors.Join(fmt.Errorf("a backend was not ready on %s within %v", b.addr, readyMax), b.kill())
	}
}

func (b *backend) read(out io.Reader, ready chan struct{}) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if line := lines.Text(); line == readyLine {
			close(ready)
		} else {
			b.ledger.executed(line)
		}
	}
}

// become returns the action that gives a backend a fault.
func become(f fault) action {
	return func(b *backend) error {
		_, err := fmt.Fprintln(b.control, f)
		return err
	}
}

// join and leave put the backend's address into what its name stands for, and
// take it out.
func (b *backend) join() error  { b.names.add(b.ip()); return nil }
func (b *backend) leave() error { b.names.remove(b.ip()); return nil }

func (b *backend) ip() netip.Addr { return netip.MustParseAddrPort(b.addr).Addr() }

func (b *backend) freeze() error { return b.cmd.Process.Signal(syscall.SIGSTOP) }
func (b *backend) thaw() error   { return b.cmd.Process.Signal(syscall.SIGCONT) }

// kill ends the process as kill -9 does, frozen or not, and returns when all it
// said has been read.
func (b *backend) kill() error {
	err := b.cmd.Process.Kill()
	b.reads.Wait()
	b.cmd.Wait() // tells of the signal
	b.control.Close()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
