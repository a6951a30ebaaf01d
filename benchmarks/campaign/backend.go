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
	endMark   = "end " // before the request that came to an end
	readyMax  = 5 * time.Second
)

// backend is a server process that can be made faulty. Its methods are for one
// goroutine.
type backend struct {
	addr   string
	at     place
	traits traits
	ledger *ledger
	names  *nameServer // nil = backends go by their addresses
	sieve  *sieve      // nil = the network drops nothing

	cmd     *exec.Cmd
	control io.WriteCloser // the process's standard input
	reads   sync.WaitGroup // of its standard output
}

// traits are what a case's backends are like from the beginning.
type traits struct {
	idle time.Duration // connections unused for so long are closed; 0 = kept
	work time.Duration // that an answer takes; 0 = 1 ms
	node bool          // a Node.js application, which knows no faults
	lone bool          // one request at a time is executed, the others wait

	speaks protocol
	cert   string // file with the certificate and its key, for https
}

// protocol is what backends speak.
type protocol string

const (
	http1 protocol = ""
	h2c   protocol = "h2c" // HTTP/2 without TLS too
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

// join and leave put the backend's address into what its name stands for, and
// take it out.
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

// drop makes the network drop all packets to and from the backend, until undrop.
// forget makes it drop those of the connections that there are.
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

// stop ends the process as kill -9 does, frozen or not, and returns when all it
// said has been read.
func (b *backend) stop() error {
	err := b.cmd.Process.Kill()
	b.reads.Wait()
	b.cmd.Wait() // tells of the signal
	b.control.Close()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
