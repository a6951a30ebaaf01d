package inbound

import (
	"crypto/tls"
	"errors"
	"io"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
)

// secure makes the TLS handshake, and reports whether the client will speak HTTP/1.1.
func (c *conn) secure() bool {
	c.raw.SetDeadline(deadline.After(time.Now(), c.s.opts.Header))
	c.phase.Store(handshake)
	if c.s.closing.Load() {
		c.hurry()
	}
	t := tls.Server(c.raw, c.s.opts.TLS)
	err := t.HandshakeContext(c.s.base)
	c.phase.Store(busy)
	if err != nil {
		c.refuseTLS(err)
		return false
	}
	c.raw.SetDeadline(time.Time{})
	c.use(t)
	state := t.ConnectionState()
	c.tls = &state
	if state.NegotiatedProtocol == "h2" {
		c.gone = c.s.hand(t)
		return false
	}
	return true
}

// refuseTLS answers, without TLS, a client that does not speak TLS.
func (c *conn) refuseTLS(err error) {
	if r, ok := errors.AsType[tls.RecordHeaderError](err); ok && r.Conn != nil && plainHTTP(r.RecordHeader) {
		io.WriteString(r.Conn, "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nThis is an HTTPS port.\n")
		err = errors.New("the client speaks HTTP in the clear")
	}
	c.s.note("TLS handshake failed", "client", c.remote, "error", err.Error())
}

// plainHTTP reports whether the bytes in place of a TLS record begin a request.
func plainHTTP(b [5]byte) bool {
	switch string(b[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}
