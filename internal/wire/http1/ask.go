package http1

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
