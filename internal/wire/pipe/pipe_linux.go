// Package pipe moves bytes from one socket to another with splice(2), without copying
// them through the process.
package pipe

import (
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Pipe is a kernel pipe. It has the bytes that have left one socket and not yet reached
// the other. It is not safe for concurrent use.
type Pipe struct {
	r, w  int
	n     int // bytes in the pipe
	close runtime.Cleanup

	// State of the call in progress. The functions are created once.
	max, done int
	err       error
	fill      func(fd uintptr) bool
	drain     func(fd uintptr) bool
}

// Pool lends pipes. Each takes two file descriptors. The zero value lends none. It is
// safe for concurrent use.
type Pool struct {
	Max int // limit on lent pipes

	lent atomic.Int64
	free sync.Pool
}

// Get returns an empty pipe, nil if Max are lent or the kernel provides none.
func (p *Pool) Get() *Pipe {
	if p.lent.Add(1) > int64(p.Max) {
		p.lent.Add(-1)
		return nil
	}
	if have, ok := p.free.Get().(*Pipe); ok {
		return have
	}
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		p.lent.Add(-1)
		return nil
	}
	return newPipe(fds)
}

func newPipe(fds [2]int) *Pipe {
	c := &Pipe{r: fds[0], w: fds[1]}
	c.close = runtime.AddCleanup(c, closeBoth, fds)
	c.fill = func(fd uintptr) bool {
		c.done, c.err = splice(int(fd), c.w, c.max)
		return c.err != unix.EAGAIN
	}
	c.drain = func(fd uintptr) bool {
		for c.n > 0 {
			var n int
			if n, c.err = splice(c.r, int(fd), c.n); c.err != nil {
				return c.err != unix.EAGAIN
			}
			c.n -= n
			c.done += n
		}
		return true
	}
	return c
}

// Put returns a pipe to the pool. It closes a pipe that still has bytes.
func (p *Pool) Put(c *Pipe) {
	p.lent.Add(-1)
	if c.n == 0 {
		p.free.Put(c)
		return
	}
	c.close.Stop()
	closeBoth([2]int{c.r, c.w})
}

func closeBoth(fds [2]int) {
	unix.Close(fds[0])
	unix.Close(fds[1])
}

// Len returns the number of bytes in the pipe.
func (c *Pipe) Len() int { return c.n }

// Fill waits until a socket has bytes, and moves at most max of them into an empty
// pipe. It returns io.EOF at the end of the stream, and otherwise the socket's errors,
// including those of a deadline.
func (c *Pipe) Fill(from syscall.RawConn, max int) (int, error) {
	c.max, c.done, c.err = max, 0, nil
	failed := from.Read(c.fill)
	switch {
	case failed != nil:
		return 0, failed
	case c.err != nil:
		return 0, c.err
	case c.done == 0:
		return 0, io.EOF
	}
	c.n += c.done
	return c.done, nil
}

// Drain writes the bytes in the pipe to a socket, and waits for room. After an error,
// the rest stays in the pipe.
func (c *Pipe) Drain(to syscall.RawConn) (int, error) {
	c.done, c.err = 0, nil
	if failed := to.Write(c.drain); failed != nil {
		return c.done, failed
	}
	return c.done, c.err
}

func splice(from, to, max int) (int, error) {
	for {
		n, err := unix.Splice(from, nil, to, nil, max, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if err != unix.EINTR {
			return int(n), err
		}
	}
}
