package memnet

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one end of a connection: a net.Conn that can also close one direction, and
// reset. Reads and writes fail with the errors of a TCP socket, as [*net.OpError]. The
// end of the stream is io.EOF itself.
type Conn struct {
	in, out       *stream
	local, remote net.Addr
	closed        atomic.Bool
}

// newPair returns the two ends of a connection from local to remote.
func newPair(local, remote net.Addr) (client, server *Conn) {
	up, down := newStream(), newStream()
	client = &Conn{in: down, out: up, local: local, remote: remote}
	server = &Conn{in: up, out: down, local: remote, remote: local}
	return client, server
}

// Read waits for at least one byte, the end of the stream, an error or the read
// deadline.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return n, c.wrap("read", err)
}

// Write waits until all of b is in the peer's buffer, for an error or for the write
// deadline; n is the number of written bytes. Concurrent writes do not mix.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return n, c.wrap("write", err)
}

// Close ends both directions. The peer reads the buffered bytes and then io.EOF; its
// writes fail with syscall.EPIPE. A second Close fails with net.ErrClosed.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return c.wrap("close", net.ErrClosed)
	}
	c.in.end(net.ErrClosed, syscall.EPIPE) // first, so that the peer's last bytes are not read
	c.out.end(io.EOF, net.ErrClosed)
	return nil
}

// CloseWrite ends the direction to the peer, which reads the buffered bytes and then
// io.EOF. The other direction stays open.
func (c *Conn) CloseWrite() error {
	if c.closed.Load() {
		return c.wrap("close", net.ErrClosed)
	}
	c.out.end(io.EOF, syscall.EPIPE)
	return nil
}

// Reset closes the connection like a TCP RST: buffered bytes are lost, and the peer's
// reads and writes fail with syscall.ECONNRESET.
func (c *Conn) Reset() {
	c.closed.Store(true)
	c.in.end(net.ErrClosed, syscall.ECONNRESET)
	c.out.end(syscall.ECONNRESET, net.ErrClosed)
}

// LocalAddr returns this end's address.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines; the zero time means none.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline ends pending and later reads at t; the zero time means never.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.closed.Load() {
		return c.wrap("set", net.ErrClosed)
	}
	c.in.setDeadline(&c.in.readDeadline, t)
	return nil
}

// SetWriteDeadline ends pending and later writes at t; the zero time means never.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.closed.Load() {
		return c.wrap("set", net.ErrClosed)
	}
	c.out.setDeadline(&c.out.writeDeadline, t)
	return nil
}

func (c *Conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		err = os.NewSyscallError(op, err)
	}
	return opError(op, c.local, c.remote, err)
}
