package proxy

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// This file translates WebSockets over HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220). There, a client
// sends an extended CONNECT with ":protocol: websocket", and the WebSocket is the stream of that
// request. Upstreams get the GET with Upgrade of HTTP/1.1 (RFC 6455) that means the same. The whole
// proxy sees only that GET, so routes, limits, access rules and the log treat all WebSockets alike.

// Reasons why an extended CONNECT fails.
var (
	errProtocol = errors.New("a :protocol other than websocket, or one without CONNECT")
	errAccept   = errors.New("switched to WebSocket with a Sec-WebSocket-Accept that does not match the key")
	errNoSwitch = errors.New("answered a request for a WebSocket with a status of success instead of 101")
)

// upgradeStream is the client's side of an extended CONNECT. httputil takes it over by Hijack, as it
// does with a connection of HTTP/1.1.
type upgradeStream struct {
	http.ResponseWriter
	client io.ReadCloser // the client's bytes
	key    string        // the Sec-WebSocket-Key for the upstream
}

// asUpgrade returns the GET with Upgrade that an extended CONNECT for a WebSocket means. It returns
// any other request unchanged.
func asUpgrade(w http.ResponseWriter, r *Request) (http.ResponseWriter, *Request) {
	if r.Method != http.MethodConnect || !strings.EqualFold(r.ConnectProtocol(), "websocket") {
		return w, r
	}
	in := r.HTTP()
	s := &upgradeStream{ResponseWriter: w, client: in.Body, key: newKey()}
	out := in.WithContext(in.Context())
	out.Method, out.Body, out.ContentLength, out.TransferEncoding, out.Trailer = http.MethodGet, http.NoBody, 0, nil, nil
	out.Header = maps.Clone(in.Header)
	for _, name := range []string{message.ProtocolField, "Content-Length", "Trailer", "Sec-Websocket-Accept"} {
		delete(out.Header, name)
	}
	out.Header["Connection"] = []string{"Upgrade"}
	out.Header["Upgrade"] = []string{"websocket"}
	out.Header["Sec-Websocket-Key"] = []string{s.key}
	return s, message.FromHTTP(out)
}

// newKey returns a random Sec-WebSocket-Key (RFC 6455, section 4.1).
func newKey() string {
	var key [16]byte
	rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}

// accepts reports whether an upstream has answered with the proof for the key.
func (s *upgradeStream) accepts(h http.Header) bool {
	sum := sha1.Sum([]byte(s.key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	proofs := h["Sec-Websocket-Accept"]
	return len(proofs) == 1 && strings.TrimSpace(proofs[0]) == base64.StdEncoding.EncodeToString(sum[:])
}

// stream returns the client's side of an extended CONNECT; nil for any other request.
func (x *exchange) stream() *upgradeStream {
	s, _ := x.writer.ResponseWriter.(*upgradeStream)
	return s
}

// checkStream rejects an answer to an extended CONNECT that the client would misunderstand: it takes
// every 2xx for an open WebSocket.
func (x *exchange) checkStream(res *http.Response) error {
	s := x.stream()
	switch {
	case s == nil:
		return nil
	case res.StatusCode == http.StatusSwitchingProtocols:
		if !s.accepts(res.Header) {
			return x.malformed(errAccept)
		}
	case res.StatusCode < 300 && x.answer.from != nil:
		return x.malformed(fmt.Errorf("%w: %d", errNoSwitch, res.StatusCode))
	}
	return nil
}

// refusesStream returns the status in place of one that goodgate itself gives. A client that asked
// for a WebSocket would take a 2xx for it.
func (w *responseWriter) refusesStream(status int) int {
	if status < 300 && w.x.stream() != nil {
		return http.StatusNotImplemented
	}
	return status
}

// spellStream is respell for an extended CONNECT: field names have no capitals in HTTP/2 and HTTP/3.
func (x *exchange) spellStream(h http.Header) {
	if x.stream() == nil {
		return
	}
	for name, values := range h {
		if rest, ok := strings.CutPrefix(name, "Sec-Websocket-"); ok {
			delete(h, name)
			h["Sec-WebSocket-"+rest] = values
		}
	}
}

// announce prepares the client's header from that of a 101.
func (s *upgradeStream) announce(x *exchange, from http.Header) {
	h := s.Header()
	for name, values := range from {
		switch name {
		case "Connection", "Upgrade", "Sec-Websocket-Accept":
		default:
			h[name] = values
		}
	}
	if x.proxy.draining.Load() || x.listener.leaving() {
		h.Set("Connection", "close")
	}
}

// Unwrap lets [http.ResponseController] reach the server's writer.
func (s *upgradeStream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Hijack accepts the WebSocket with a 200, and returns the stream as a connection. It drops the head
// that httputil writes for HTTP/1.1.
func (s *upgradeStream) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	control := http.NewResponseController(s.ResponseWriter)
	s.WriteHeader(http.StatusOK)
	if err := control.Flush(); err != nil {
		return nil, nil, err
	}
	to := innermost(s.ResponseWriter)
	c := &streamConn{client: s.client, to: to, control: http.NewResponseController(to)}
	c.control.SetReadDeadline(time.Time{})
	c.control.SetWriteDeadline(time.Time{})
	return c, bufio.NewReadWriter(bufio.NewReaderSize(c, 16), bufio.NewWriterSize(io.Discard, 16)), nil
}

// innermost returns the server's own writer: wrappers may bound writes or count a body.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = u.Unwrap()
	}
}

// streamConn is the stream of an accepted WebSocket. The server allows no use of a stream after its
// handler has returned, so Close waits for calls in progress, and later ones fail.
//
// It has no CloseWrite: servers end their side of a stream only when the handler returns.
type streamConn struct {
	net.Conn // nil: nobody calls its methods
	client   io.ReadCloser
	to       http.ResponseWriter
	control  *http.ResponseController
	closed   atomic.Bool

	reading, writing sync.Mutex // held during a call
}

func (c *streamConn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	return c.client.Read(p)
}

// Write sends p at once, and waits while the client's flow control allows no more.
func (c *streamConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	n, err := c.to.Write(p)
	if err == nil {
		err = c.control.Flush()
	}
	return n, err
}

func (c *streamConn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if !c.writing.TryLock() {
		c.control.SetWriteDeadline(time.Now().Add(farewellBound)) // resets the stream if it passes
		c.writing.Lock()
		c.control.SetWriteDeadline(time.Time{})
	}
	c.writing.Unlock()
	if !c.reading.TryLock() {
		c.control.SetReadDeadline(time.Unix(1, 0))
		c.reading.Lock()
	}
	c.reading.Unlock()
	return nil
}
