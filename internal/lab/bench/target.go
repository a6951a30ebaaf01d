package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/internal/wire/http2"
)

// Target describes the requests of a run.
type Target struct {
	URL      string
	Method   string // empty = GET, or POST with a body
	Header   http.Header
	Body     []byte
	HTTP2    bool          // HTTP/2 over TLS or, for http, by prior knowledge
	Insecure bool          // accept every certificate
	NewConn  bool          // use a new connection for each request
	Timeout  time.Duration // for one request; 0 = 10 s
}

// roundTripper sends a request once. *http1.Transport and *http2.Transport implement
// it.
type roundTripper interface {
	RoundTrip(*http.Request, *http1.Call) (*http.Response, error)
	Close() error
}

// client sends one target's requests.
type client struct {
	target Target
	url    *url.URL
	sender roundTripper
}

// Check returns an error if the URL is unusable.
func (t Target) Check() error {
	_, err := t.parsed()
	return err
}

func (t Target) parsed() (*url.URL, error) {
	if !strings.Contains(t.URL, "://") {
		return nil, fmt.Errorf("%q: a URL needs its scheme: write http://%s", t.URL, t.URL)
	}
	u, err := url.Parse(t.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the target is not a URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q: scheme %s: expected http or https", t.URL, u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q: a URL needs a host, such as http://127.0.0.1:8080/", t.URL)
	}
	return u, nil
}

func newClient(t Target) (*client, error) {
	u, err := t.parsed()
	if err != nil {
		return nil, err
	}
	if t.Method == "" {
		t.Method = http.MethodGet
		if len(t.Body) > 0 {
			t.Method = http.MethodPost
		}
	}
	if t.Timeout == 0 {
		t.Timeout = 10 * time.Second
	}
	c := &client{target: t, url: u}
	const kept = 100_000
	if t.HTTP2 {
		c.sender = http2.New(http2.Options{Dial: c.dial, Single: t.NewConn, KeepAlive: time.Hour, ResponseHeader: t.Timeout, Idle: t.Timeout})
	} else {
		idle := kept
		if t.NewConn {
			idle = 0
		}
		c.sender = http1.New(http1.Options{Dial: c.dial, MaxIdle: idle, ResponseHeader: t.Timeout, Idle: t.Timeout})
	}
	return c, nil
}

func (c *client) close() { c.sender.Close() }

// dial connects to the target.
func (c *client) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.target.Timeout)
	defer cancel()
	host := c.url.Host
	if c.url.Port() == "" {
		host = net.JoinHostPort(c.url.Hostname(), map[string]string{"http": "80", "https": "443"}[c.url.Scheme])
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", host)
	if err != nil || c.url.Scheme == "http" {
		return conn, err
	}
	cfg := &tls.Config{ServerName: c.url.Hostname(), InsecureSkipVerify: c.target.Insecure, NextProtos: []string{"http/1.1"}}
	if c.target.HTTP2 {
		cfg.NextProtos = []string{"h2"}
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS handshake with %s: %w", host, err)
	}
	return secure, nil
}

// reply is the result of one request.
type reply struct {
	status int   // 0 without a complete answer
	bytes  int64 // bytes of the body
	err    error
}

// failure returns a name for the failure, empty for success.
func (r *reply) failure() string {
	switch {
	case r.err == nil && r.status < 500:
		return ""
	case r.err == nil:
		return http.StatusText(r.status)
	case r.err == errLate:
		return errLate.Error()
	}
	return cause(r.err)
}

// cause returns one name for all errors of a kind: with the peer's address, and without
// local ports.
func cause(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		why := op.Err.Error()
		if n, ok := errors.AsType[syscall.Errno](op.Err); ok {
			why = n.Error()
		} else if op.Timeout() {
			why = "no connection in time"
		}
		if op.Addr == nil {
			return why
		}
		return "connecting to " + op.Addr.String() + ": " + why
	}
	if e, ok := errors.AsType[*http1.Error](err); ok {
		return strings.TrimSpace(e.Phase.String() + ": " + e.Kind.String())
	}
	if err := errors.Unwrap(err); err != nil {
		return cause(err)
	}
	return "no connection: " + err.Error()
}

// send sends one request and reads the answer to its end.
func (c *client) send(buf []byte) reply {
	r := &http.Request{Method: c.target.Method, URL: c.url, Host: c.url.Host, Header: c.target.Header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if len(c.target.Body) > 0 {
		r.Body = http1.NewBody(c.target.Body)
		r.ContentLength = int64(len(c.target.Body))
	}
	until := time.Now().Add(c.target.Timeout)
	res, err := c.sender.RoundTrip(r, nil)
	if err != nil {
		return reply{err: err}
	}
	defer res.Body.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, timely{res.Body, until}, buf)
	return reply{status: res.StatusCode, bytes: n, err: err}
}

var errLate = errors.New("the answer did not end within the timeout")

// timely is a body with a deadline. The transport bounds each pause in a body, but not
// their number.
type timely struct {
	io.Reader
	until time.Time
}

func (t timely) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	if err == nil && time.Now().After(t.until) {
		return n, errLate
	}
	return n, err
}
