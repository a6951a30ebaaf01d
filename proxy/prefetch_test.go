package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/inbound"
	"github.com/goodgate/goodgate/proxy"
)

// socketFront is a proxy with goodgate's own server, on sockets, in front of an
// application that echoes bodies.
type socketFront struct {
	addr    string
	records chan proxy.Record
}

func newSocketFront(t *testing.T, l proxy.Listener, o proxy.PoolOptions) *socketFront {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	t.Cleanup(app.Close)
	pool, err := proxy.NewPool(balancer.Options{Name: "app"}, o)
	if err != nil {
		t.Fatal(err)
	}
	pool.Update(specs(app.Listener.Addr().String()))
	t.Cleanup(func() { pool.Update(nil) })
	f := &socketFront{records: make(chan proxy.Record, 10)}
	p, err := proxy.New(proxy.Options{Routes: []proxy.Route{{Pool: pool}}, Listener: l, Observe: []func(*proxy.Record){func(r *proxy.Record) {
		if r.Method == http.MethodOptions {
			return // a health check of another program: this port used to be its upstream's
		}
		f.records <- *r
	}}})
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := inbound.New(inbound.Options{Handler: p, Base: t.Context()})
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(socket) })
	t.Cleanup(func() {
		socket.Close()
		srv.Close()
		wg.Wait()
	})
	f.addr = socket.Addr().String()
	return f
}

// quietly waits until the connection has surely begun to wait for the client.
func quietly(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); n > 0 || !isTimeout(err) {
		t.Fatalf("got %d bytes, %v before the request was complete", n, err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// A body reaches the upstream complete, in whatever parts it arrives, also when the
// connection waits for it without a goroutine. So does the next request.
func TestPrefetchInParts(t *testing.T) {
	t.Parallel()
	f := newSocketFront(t, proxy.Listener{BodyIdle: 10 * time.Second, BodyRate: 500}, proxy.PoolOptions{Retry: retries(2)})
	for _, size := range []int{1, 300, 5000, 64 << 10, 70_000} {
		for _, first := range []int{0, 1, size / 2, size} {
			t.Run(fmt.Sprint(size, " after ", first), func(t *testing.T) {
				t.Parallel()
				c, err := net.Dial("tcp", f.addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				br := bufio.NewReader(c)
				body := strings.Repeat("0123456789abcdef", size/16+1)[:size]
				for range 2 {
					fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", size, body[:first])
					if first < size {
						quietly(t, c)
						io.WriteString(c, body[first:])
					}
					res, err := http.ReadResponse(br, nil)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(res.Body)
					if err != nil || string(got) != body {
						t.Fatalf("got %d bytes, %v; want %d", len(got), err, size)
					}
					<-f.records
				}
			})
		}
	}
}

// A chunked body whose first part is malformed costs no upstream a connection.
func TestMalformedChunksReachNoUpstream(t *testing.T) {
	t.Parallel()
	for _, expect := range []string{"", "Expect: 100-continue\n"} {
		for body, want := range map[string]int{
			"0x5\nhello\n0\n\n":             400,
			"\n":                            400,
			"+5\n":                          400,
			"10000000000000000\n":           400,
			"5\nhelloX\n":                   400,
			"5\nhello\nzz\n":                400,
			"5\nhello\n0\nbad trailer\n\n":  400,
			"5\nhello\n0\n X: folded\n\n":   400,
			"5\nhello\n0\nX-Sum: 1\n\n":     204,
			"5;a=b\nhello\n5\nworld\n0\n\n": 204,
			"0\n\n":                         204,
		} {
			if expect != "" && want != 400 {
				continue
			}
			relayed(t, setup{upstreams: specs("app:80")}, func(t *testing.T, w *world) {
				conns := 0
				w.script("app:80", func(c *wire) {
					for conns++; ; {
						if r, _ := c.request(); r == nil {
							return
						}
						c.say("HTTP/1.1 204 No Content\n\n")
					}
				})
				check(t, "idle connection", w.get().status, 204)
				check(t, body, w.raw("POST / HTTP/1.1\nHost: example.com\n"+expect+"Transfer-Encoding: chunked\n\n"+body).status, want)
				if want == 400 {
					rec := w.record()
					check(t, body+" reason", rec.Reason, reason.RequestMalformed)
					check(t, body+" attempts", len(rec.Attempts), 0)
				}
				check(t, "next", w.get().status, 204)
				check(t, body+" upstream connections", conns, 1)
			})
		}
	}
}

// A body that does not arrive ends its request in the same way as a failed read.
func TestPrefetchFails(t *testing.T) {
	t.Parallel()
	const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n"
	for name, tc := range map[string]struct {
		say    string
		idle   time.Duration
		end    func(c *net.TCPConn)
		reason reason.Reason
		status string // the client's; empty = none
	}{
		"nothing comes":         {head, 300 * time.Millisecond, nil, reason.RequestTimeout, "408"},
		"the body stops":        {head + "abc", 300 * time.Millisecond, nil, reason.RequestTimeout, "408"},
		"a large one":           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 80000\r\n\r\n", 300 * time.Millisecond, nil, reason.RequestTimeout, "408"},
		"the client has left":   {head, time.Minute, func(c *net.TCPConn) { c.Close() }, reason.ClientGone, ""},
		"the client is cut off": {head + "abc", time.Minute, func(c *net.TCPConn) { c.SetLinger(0); c.Close() }, reason.ClientGone, ""},
		"the client ends":       {head + "abc", time.Minute, func(c *net.TCPConn) { c.CloseWrite() }, reason.ClientGone, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newSocketFront(t, proxy.Listener{BodyIdle: tc.idle}, proxy.PoolOptions{Retry: retries(2)})
			c, err := net.Dial("tcp", f.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, tc.say)
			if tc.end != nil {
				quietly(t, c)
				tc.end(c.(*net.TCPConn))
			}
			rec := <-f.records
			check(t, "reason", rec.Reason, tc.reason)
			check(t, "attempts", len(rec.Attempts), 0)
			check(t, "received", rec.Received, int64(len(tc.say)-len(head)))
			if tc.status == "" {
				return
			}
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			line, _ := bufio.NewReader(c).ReadString('\n')
			check(t, "status", strings.Contains(line, tc.status), true)
		})
	}
}
