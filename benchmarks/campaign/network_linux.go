package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// The addresses of the two ends, from the block for benchmarks (RFC 2544). They exist
// only in the campaign's own namespaces.
const nearIP, farIP = "198.18.0.1", "198.18.0.2"

// newFarNetwork joins two network namespaces by a wire: a pair of virtual devices
// shaped by tc-netem(8) if the kernel supports that, else two TUN devices with this
// program between them. Both keep TCP end to end.
func newFarNetwork(w wire) (*network, error) {
	near, err := newNamespace()
	if err != nil {
		return nil, err
	}
	far, err := newNamespace()
	if err != nil {
		near.end()
		return nil, err
	}
	n := &network{
		near: place{loopback, near.do},
		far:  place{farIP, far.do},
		stop: func() { near.end(); far.end() },
	}
	if err := errors.Join(near.up("lo", ""), far.up("lo", "")); err != nil {
		n.stop()
		return nil, err
	}
	var shaped error
	if w.drops {
		n.sieve = newSieve() // netem cannot distinguish connections
	} else if shaped = joinPair(near, far, w); shaped == nil {
		n.means = "tc netem"
		return n, nil
	}
	stop, err := joinTUN(near, far, w, n.sieve)
	if err != nil {
		n.stop()
		return nil, errors.Join(shaped, err)
	}
	n.means = "TUN forwarder"
	n.stop = func() { near.end(); far.end(); stop() }
	return n, nil
}

// namespace is a network namespace. It exists until its end and that of the processes
// in it.
type namespace struct {
	work chan func()
	path string // its path, for other threads and processes
	end  func()
}

// newNamespace creates a namespace, which needs CAP_SYS_ADMIN.
func newNamespace() (*namespace, error) {
	n := &namespace{work: make(chan func())}
	var ended sync.WaitGroup
	n.end = sync.OnceFunc(func() { close(n.work); ended.Wait() })
	ready := make(chan error)
	ended.Go(func() { n.serve(ready) })
	if err := <-ready; err != nil {
		n.end()
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	return n, nil
}

// serve runs functions on a thread of the namespace. The thread belongs to this
// goroutine and ends with it.
func (n *namespace) serve(ready chan<- error) {
	runtime.LockOSThread()
	err := unix.Unshare(unix.CLONE_NEWNET)
	n.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
	ready <- err
	for f := range n.work {
		f()
	}
}

// do runs f in the namespace: its sockets and processes belong there. f must not create
// them in another goroutine.
func (n *namespace) do(f func()) {
	done := make(chan struct{})
	n.work <- func() { defer close(done); f() }
	<-done
}

// up starts a device of the namespace, after giving it an address if that is not empty.
func (n *namespace) up(device, address string) error {
	if address != "" {
		if err := n.run("ip", "address", "add", address+"/30", "dev", device); err != nil {
			return err
		}
	}
	return n.run("ip", "link", "set", device, "up")
}

// run runs a command in the namespace.
func (n *namespace) run(args ...string) (err error) {
	var out []byte
	n.do(func() { out, err = exec.Command(args[0], args[1:]...).CombinedOutput() })
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// pairNear and pairFar are the devices of a pair.
const pairNear, pairFar = "campaign0", "campaign1"

// joinPair joins two namespaces by a pair of devices, shaped by netem. After an error
// it leaves nothing behind.
func joinPair(near, far *namespace, w wire) error {
	err := connectPair(near, far)
	if err == nil {
		err = errors.Join(shape(near, pairNear, w), shape(far, pairFar, w))
	}
	if err != nil {
		near.run("ip", "link", "delete", pairNear)
	}
	return err
}

func connectPair(near, far *namespace) error {
	err := near.run("ip", "link", "add", pairNear, "type", "veth", "peer", "name", pairFar, "netns", far.path)
	if err != nil {
		return err
	}
	return errors.Join(near.up(pairNear, nearIP), far.up(pairFar, farIP))
}

func shape(n *namespace, device string, w wire) error {
	return n.run("tc", "qdisc", "add", "dev", device, "root", "netem", "limit", fmt.Sprint(wireMax),
		"delay", fmt.Sprint(w.delay.Microseconds())+"us", "loss", fmt.Sprint(w.loss*100)+"%")
}
