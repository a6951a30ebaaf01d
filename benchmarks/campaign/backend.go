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
	endMark   = "end " // precedes the request that has ended
	readyMax  = 5 * time.Second
)

// backend is a server process with switchable faults. Its methods are for one
// goroutine.
type backend struct {
	addr   string
	at     place
	traits traits
	ledger *ledger
	names  *nameServer // nil = the proxy knows the backends by address
	sieve  *sieve      // nil = the network drops nothing

	cmd     *exec.Cmd
	control io.WriteCloser // the process's standard input
	reads   sync.WaitGroup // reader of the standard output
}

// traits are the initial properties of a case's backends.
type traits struct {
	idle time.Duration // idle time after which a connection is closed; 0 = never
	work time.Duration // duration of an answer; 0 = 1 ms
	node bool          // a Node.js application, without faults
	lone bool          // one worker executes one request at a time

	speaks protocol
	cert   string // file with certificate and key, for https
}

// protocol is the protocol of backends.
type protocol string

const (
	http1 protocol = ""
	h2c   protocol = "h2c" // also HTTP/2 without TLS
	https protocol = "tls"
)

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
	args := []string{
		roleFlag, b.addr, b.traits.idle.String(), b.traits.work.String(), fmt.Sprint(b.traits.lone),
		string(b.traits.speaks), b.traits.cert,
	}
	return exec.Command(os.Args[0], args...)
}

// start starts the process, and returns when it listens.
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
		b.ledger.back(b.addr)
		return nil
	case <-time.After(readyMax):
		return errors.Join(fmt.Errorf("a backend was not ready on %s within %v", b.addr, readyMax), b.stop())
	}
}

func (b *backend) read(out io.Reader, ready chan struct{}) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		request, ended := strings.CutPrefix(line, endMark)
		switch {
		case line == readyLine:
			close(ready)
		case ended:
			b.ledger.ended(b.addr, request)
		default:
			b.ledger.began(b.addr, request)
		}
	}
}

// become returns the action that gives a backend a fault.
func become(f fault) action {
	return func(b *backend) error {
		if !f.well() {
			b.ledger.out(b.addr)
		}
		_, err := fmt.Fprintln(b.control, f)
		if f.well() {
			b.ledger.back(b.addr)
		}
		return err
	}
}

// join adds the backend's address to the answers for its name, and leave removes it.
func (b *backend) join() error  { b.names.add(b.ip()); return nil }
func (b *backend) leave() error { b.names.remove(b.ip()); return nil }

func (b *backend) ip() netip.Addr { return netip.MustParseAddrPort(b.addr).Addr() }

func (b *backend) freeze() error {
	b.ledger.out(b.addr)
	return b.cmd.Process.Signal(syscall.SIGSTOP)
}

func (b *backend) thaw() error {
	err := b.cmd.Process.Signal(syscall.SIGCONT)
	b.ledger.back(b.addr)
	return err
}

// drop makes the network drop all packets to and from the backend, until undrop. forget
// makes it drop the packets of existing connections.
func (b *backend) drop() error {
	b.ledger.out(b.addr)
	b.sieve.drop(netip.MustParseAddrPort(b.addr), true)
	return nil
}

func (b *backend) undrop() error {
	b.sieve.drop(netip.MustParseAddrPort(b.addr), false)
	b.ledger.back(b.addr)
	return nil
}

func (b *backend) forget() error { b.sieve.forget(netip.MustParseAddrPort(b.addr)); return nil }

// kill stops the backend in the middle of a case.
func (b *backend) kill() error {
	b.ledger.out(b.addr)
	return b.stop()
}

// stop kills the process, frozen or not, and returns when its complete output has been
// read.
func (b *backend) stop() error {
	err := b.cmd.Process.Kill()
	b.reads.Wait()
	b.cmd.Wait() // returns the signal as an error
	b.control.Close()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
