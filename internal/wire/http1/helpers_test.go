package http1

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/memnet"
	"github.com/goodgate/goodgate/internal/lab/streamtest"
)

// serveRaw passes each connection to a loopback listener on to serve, which owns it. The
// end of the test waits for all of them.
func serveRaw(t testing.TB, serve func(c *net.TCPConn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(streamtest.Accept(ln, func(c net.Conn) { serve(c.(*net.TCPConn)) }))
	return ln.Addr().String()
}

func dialer(addr string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
}

// transport returns a transport to addr. The end of the test closes it. Tests get
// generous limits, so that a failure does not hang.
func transport(t testing.TB, addr string, change ...func(*Options)) *Transport {
	t.Helper()
	o := Options{
		Dial: dialer(addr), MaxIdle: 8, KeepAlive: time.Minute,
		ResponseHeader: 10 * time.Second, Idle: 10 * time.Second, Continue: time.Second,
	}
	for _, f := range change {
		f(&o)
	}
	tr := New(o)
	t.Cleanup(func() { tr.Close() })
	return tr
}

// memServer serves connections in memory and returns a dialer. stop waits for them.
func memServer(t testing.TB, serve func(*memnet.Conn)) (dial func(context.Context) (net.Conn, error), stop func()) {
	t.Helper()
	n := memnet.New()
	ln, err := n.Listen("app:80")
	if err != nil {
		t.Fatal(err)
	}
	dial = func(ctx context.Context) (net.Conn, error) { return n.DialContext(ctx, "tcp", "app:80") }
	return dial, streamtest.Accept(ln, func(c net.Conn) { serve(c.(*memnet.Conn)) })
}

func request(t testing.TB, method, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://app.example/path?q=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Body, r.ContentLength = NewBody([]byte(body)), int64(len(body))
	}
	return r
}

// readRequest reads one request, with its body.
func readRequest(br *bufio.Reader) (*http.Request, string, error) {
	r, err := http.ReadRequest(br)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(r.Body)
	return r, string(body), err
}

// answer returns a server that reads requests and answers each with text.
func answer(text string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		br := bufio.NewReader(c)
		for {
			if _, _, err := readRequest(br); err != nil {
				return
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// streamed hides that a body is in memory.
type streamed struct{ io.Reader }

func (streamed) Close() error { return nil }

func streaming(s string) io.ReadCloser { return streamed{strings.NewReader(s)} }

const okResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// get makes one GET that must succeed, and returns its body.
func get(t testing.TB, tr *Transport, x *Call) string {
	t.Helper()
	res, err := tr.RoundTrip(request(t, "GET", ""), x)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
