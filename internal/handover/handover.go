// Package handover passes listening sockets and state from a process to its
// replacement.
//
// The new process is a child with these files: 3, a pipe with a [Bundle] as JSON; 4, a
// pipe on which it writes a byte once it serves; and from 5 on the sockets, in the
// bundle's order. cloudflare/tableflip does the same, but keeps a socket for each
// listener that was ever opened: after a reload without a listener, clients could still
// connect there without getting an answer.
package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	variable  = "GOODGATE_HANDOVER"
	firstFile = 3
	maxBundle = 64 << 20 // bytes
)

// Socket is a listening socket with its configured address.
type Socket struct {
	Address  string       `json:"address"`
	Listener net.Listener `json:"-"`
}

// Bundle is what a process hands to the next one.
type Bundle struct {
	Sockets []Socket        `json:"sockets"`
	Known   json.RawMessage `json:"known"` // the program's state

	ready *os.File
}

// Receive returns the bundle of the previous process, or the sockets that systemd has
// opened; nil if there is neither. It must be called once, at the start.
func Receive() (*Bundle, error) {
	if os.Getenv(variable) == "" {
		return activated()
	}
	os.Unsetenv(variable)
	in := os.NewFile(firstFile, "handover")
	defer in.Close()
	b := &Bundle{ready: os.NewFile(firstFile+1, "ready")}
	closeOnExec(firstFile + 1)
	if err := json.NewDecoder(io.LimitReader(in, maxBundle)).Decode(b); err != nil {
		return nil, fmt.Errorf("what the process before this one has left: %w", err)
	}
	for i := range b.Sockets {
		f := os.NewFile(uintptr(firstFile+2+i), b.Sockets[i].Address)
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("the socket of %s from the process before this one: %w", b.Sockets[i].Address, err)
		}
		setUnlink(l, true)
		b.Sockets[i].Listener = l
	}
	return b, nil
}

// Successor reports whether another process serves until this one is ready.
func (b *Bundle) Successor() bool { return b != nil && b.ready != nil }

// Take removes and returns the socket of an address; nil if there is none. A nil bundle
// has none.
func (b *Bundle) Take(address string) net.Listener {
	if b == nil {
		return nil
	}
	i := slices.IndexFunc(b.Sockets, func(s Socket) bool { return s.Address == address })
	if i < 0 {
		return nil
	}
	l := b.Sockets[i].Listener
	b.Sockets = slices.Delete(b.Sockets, i, i+1)
	return l
}

// Ready tells the previous process that it may end, and closes the sockets that were
// not taken.
func (b *Bundle) Ready() error {
	if b == nil {
		return nil
	}
	for _, s := range b.Sockets {
		s.Listener.Close()
	}
	b.Sockets = nil
	if b.ready == nil {
		return nil
	}
	_, err := b.ready.Write([]byte{1})
	return errors.Join(err, b.ready.Close())
}

// Program is the program that replaces this one.
type Program struct {
	Path string
	Args []string      // without the path
	Wait time.Duration // time until it must be ready
}

// Start starts the program, gives it the bundle, and waits until it serves. The
// end of ctx ends the wait and the child. On an error the child has ended, and
// nothing has changed. It returns the child's process id.
func (p Program) Start(ctx context.Context, b Bundle) (pid int, err error) {
	known, knows, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer known.Close()
	defer knows.Close()
	ready, readies, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer ready.Close()
	defer readies.Close()
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env = append(os.Environ(), variable+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{known, readies}
	for _, s := range b.Sockets {
		f, err := file(s.Listener)
		if err != nil {
			return 0, fmt.Errorf("the socket of %s: %w", s.Address, err)
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	known.Close()
	readies.Close()
	pid = cmd.Process.Pid // await resets it
	return pid, p.await(ctx, cmd, b, knows, ready)
}

// await passes the bundle to a child, and waits until it serves or has ended.
func (p Program) await(ctx context.Context, cmd *exec.Cmd, b Bundle, knows, ready *os.File) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer knows.Close()
	wg.Go(func() {
		json.NewEncoder(knows).Encode(b) // after a failure the child will not be ready
		knows.Close()
	})
	ready.SetReadDeadline(time.Now().Add(p.Wait))
	defer context.AfterFunc(ctx, func() { ready.SetReadDeadline(time.Unix(1, 0)) })()
	_, err := io.ReadFull(ready, make([]byte, 1))
	if err == nil {
		cmd.Process.Release()
		setUnlinkAll(b.Sockets)
		return nil
	}
	cmd.Process.Kill()
	ended := cmd.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("it was stopped before it was ready: %w", context.Cause(ctx))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("it was not ready within %v", p.Wait)
	}
	return fmt.Errorf("it ended before it was ready: %w", ended)
}

// setUnlinkAll leaves the socket files to the next process.
func setUnlinkAll(sockets []Socket) {
	for _, s := range sockets {
		setUnlink(s.Listener, false)
	}
}

func setUnlink(l net.Listener, on bool) {
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(on)
	}
}

// file duplicates a listener's socket. The listener's own File method would make the
// socket blocking when it is passed on, also for this process.
func file(l net.Listener) (*os.File, error) {
	s, ok := l.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T has no socket", l)
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd uintptr
	var failed error
	err = raw.Control(func(own uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		fd, failed = duplicate(own)
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	return os.NewFile(fd, strings.TrimSpace(l.Addr().String())), nil
}
