package http1

import "github.com/goodgate/goodgate/internal/wire/socket"

// asked is the result of the write of a request together with the check of its idle
// connection.
type asked uint8

const (
	notAsked asked = iota // nothing was done
	stirred               // the connection has ended or has unexpected bytes; nothing was written
	written               // all or a part was written
)

// errStirred means that an idle connection cannot be used. Nothing was written.
var errStirred = &Error{Phase: PhaseWrite, Kind: Closed, Err: errNotQuiet}

// writeFirst writes the beginning of a request. It checks a connection that was idle
// first, unless get has done so.
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

// asking is the state of one [*probe.writeAndWait].
type asking struct {
	step func(fd uintptr) bool // the method next
	p    []byte
	what asked
	n    int
	err  error
	room [1]byte
}

// writeAndWait checks that an idle socket has nothing to read, writes p without waiting,
// and waits for something to read or for the read deadline. It returns what it did, and
// the number of bytes written.
//
// The check is a read that fails because no answer has come, as the first read after the
// write nearly always would. Before the write it tells the runtime as much, which then
// waits, and it finds bytes that are no answer. Both share one wait, so that an answer
// that comes between them is not missed.
func (s *probe) writeAndWait(p []byte) (asked, int, error) {
	a := &s.ask
	a.p, a.what, a.n, a.err = p, notAsked, 0, nil
	s.raw.Read(a.step) // the next reader finds a failure of the wait
	a.p = nil
	return a.what, a.n, a.err
}

// next runs before the wait and after it.
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
