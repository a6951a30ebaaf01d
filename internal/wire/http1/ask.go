package http1

import "github.com/goodgate/goodgate/internal/wire/socket"

// asked is what came of a request written together with the look at its idle
// connection.
type asked uint8

const (
	notAsked asked = iota // nothing was done
	stirred               // the connection has ended, or brought what nobody asked for; nothing was written
	written               // all or a part was written
)

// errStirred tells that an idle connection cannot be used. Nothing was written.
var errStirred = &Error{Phase: PhaseWrite, Kind: Closed, Err: errNotQuiet}

// writeFirst writes what a request begins with. On a connection that was idle it looks
// at that first, unless that has been done.
func (c *conn) writeFirst(o *outgoing, head, body []byte) error {
	if !c.x.Reused || !o.small() || !c.direct() {
		return c.write(head, body)
	}
	c.boundHeader()
	what, n, err := c.sock.writeAndWait(head)
	c.x.written.Add(int64(n))
	switch {
	case what == stirred, what == notAsked && c.broken.Load() == nil && !c.sock.quiet():
		c.x.sawEnd(FIN)
		return errStirred
	case err != nil, n == len(head):
		return err
	}
	return c.write(head[n:], nil)
}

// asking is one use of [*probe.writeAndWait].
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
func (s *probe) writeAndWait(p []byte) (asked, int, error) {
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
	if _, err := socket.ReadNow(fd, a.room[:]); err != socket.ErrWouldWait {
		a.what = stirred
		return true
	}
	a.what = written
	a.n, a.err = socket.WriteNow(fd, a.p)
	if a.err == socket.ErrWouldWait {
		a.err = nil
	}
	return a.n < len(a.p)
}
