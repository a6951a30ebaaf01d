package http1

import "sync"

// tunnel is the connection after 101 (Switching Protocols). It belongs to the caller: it
// has no time limits and does not depend on the request's context. Read, Write and Close
// may be called concurrently.
type tunnel struct {
	c    *conn
	once sync.Once
}

func newTunnel(c *conn) *tunnel {
	c.rd.Off()
	c.wr.Off()
	return &tunnel{c: c}
}

// Read first returns bytes that came together with the response's header.
func (t *tunnel) Read(p []byte) (int, error) {
	c := t.c
	if c.br != nil {
		if n := c.br.Buffered(); n > 0 {
			return c.br.Read(p[:min(n, len(p))])
		}
		c.br = nil // frees the buffer: a tunnel may be open for long
	}
	n, err := c.nc.Read(p)
	c.x.received.Add(int64(n))
	return n, err
}

func (t *tunnel) Write(p []byte) (int, error) {
	n, err := t.c.nc.Write(p)
	t.c.x.written.Add(int64(n))
	return n, err
}

// CloseWrite ends the sending side. The upstream may continue to send.
func (t *tunnel) CloseWrite() error { return t.c.closeWrite() }

// Close closes the connection. Later calls return nil.
func (t *tunnel) Close() (err error) {
	t.once.Do(func() { err = t.c.nc.Close() })
	return err
}
