//go:build unix

package http1

import "golang.org/x/sys/unix"

// asking is one use of [*socket.writeAndWait].
type asking struct {
	step func(fd uintptr) bool // next
	p    []byte
	what asked
	n    int
	err  error
	room [1]byte
}

// writeAndWait looks whether an idle socket has anything to read, writes p without
// waiting, and waits for something to read, or the read deadline. It returns what it
// did, and what was written.
//
// The look is a read that fails, as the first one after the write nearly always would:
// no answer is there yet. Made before the write it says as much to the runtime, which
// then waits, and it finds what is not an answer. Both share one wait, so that no
// answer can come in between and not be noticed.
func (s *socket) writeAndWait(p []byte) (asked, int, error) {
	a := &s.ask
	a.p, a.what, a.n, a.err = p, notAsked, 0, nil
	s.raw.Read(a.step) // a failure to wait is found by whoever reads
	a.p = nil
	return a.what, a.n, a.err
}

// next is called before the wait and after it.
func (a *asking) next(fd uintptr) (done bool) {
	if a.what != notAsked {
		return true
	}
	if _, err := uninterrupted(unix.Read, fd, a.room[:]); err != unix.EAGAIN {
		a.what = stirred
		return true
	}
	a.what = written
	a.n, a.err = uninterrupted(unix.Write, fd, a.p)
	if a.err == unix.EAGAIN {
		a.err = nil
	}
	return a.n < len(a.p)
}

func uninterrupted(call func(int, []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}
