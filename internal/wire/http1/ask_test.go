package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// afterOne returns a transport with one idle connection. On it serve answers the next
// request.
func afterOne(t *testing.T, serve func(*net.TCPConn, *bufio.Reader), change ...func(*Options)) *Transport {
	t.Helper()
	addr := serveRaw(t, func(c *net.TCPConn) {
		br := bufio.NewReader(c)
		readRequest(br)
		io.WriteString(c, okResponse)
		serve(c, br)
	})
	tr := transport(t, addr, change...)
	get(t, tr, nil)
	if tr.Idle() != 1 {
		t.Fatalf("%d idle, want 1", tr.Idle())
	}
	return tr
}

// TestHeaderBoundOnAnIdleConnection checks that the time limit includes the wait that
// comes with the write.
func TestHeaderBoundOnAnIdleConnection(t *testing.T) {
	t.Parallel()
	const bound = patience / 2
	arrived := make(chan time.Time, 1)
	tr := afterOne(t, func(c *net.TCPConn, br *bufio.Reader) {
		readRequest(br)
		arrived <- time.Now()
		io.Copy(io.Discard, br)
	}, func(o *Options) { o.ResponseHeader = bound })
	c, _ := tr.pool.get(false, true)
	x := Call{Reused: true}
	r, err := x.requestOf(request(t, "GET", ""))
	if err != nil {
		t.Fatal(err)
	}
	o, err := newOutgoing(&r)
	if err != nil {
		t.Fatal(err)
	}
	c.begin(t.Context(), &x, false)
	if _, err := c.send(&o); err != nil {
		t.Fatal(err)
	}
	if late := c.rd.Until.Sub((<-arrived).Add(bound)); late > 0 {
		t.Errorf("the bound counts from %v after the request arrived", late)
	}
	failed, ok := errors.AsType[*Error](c.receive())
	if !ok || failed.Phase != PhaseHeader || failed.Kind != Timeout {
		t.Errorf("got %v, want %v", failed, Timeout)
	}
	c.finish(false)
}

func TestCanceledOnAnIdleConnection(t *testing.T) {
	t.Parallel()
	errGone := errors.New("gone")
	for _, x := range []*Call{{}, {Prompt: true}, {Slow: asks(func() { t.Error("Slow was told before the end") }), SlowAt: time.Now().Add(5 * time.Second)}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		tr := afterOne(t, func(c *net.TCPConn, br *bufio.Reader) {
			readRequest(br)
			cancel(errGone)
			io.Copy(io.Discard, br)
		})
		x.Context = ctx
		_, err := tr.RoundTrip(request(t, "GET", ""), x)
		failed, ok := errors.AsType[*Error](err)
		if !ok || failed.Phase != PhaseHeader || failed.Kind != Canceled || failed.Err != errGone || !x.Reused {
			t.Errorf("prompt %t, hedged %t: got %v, %s; want %v", x.Prompt, x.Slow != nil, err, describe(x), errGone)
		}
	}
}

// TestSlowOnAnIdleConnection has the upstream wait until Slow was called.
func TestSlowOnAnIdleConnection(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	tr := afterOne(t, func(c *net.TCPConn, br *bufio.Reader) {
		readRequest(br)
		<-asked
		io.WriteString(c, okResponse)
		io.Copy(io.Discard, br)
	})
	x := Call{SlowAt: time.Now().Add(10 * time.Millisecond)}
	x.Slow = asks(func() { close(asked) })
	if got := get(t, tr, &x); got != "ok" || !x.Reused {
		t.Errorf("got %q, %s", got, describe(&x))
	}
}

// TestLargeHeadOnAnIdleConnection sends a request that does not fit the buffers of the
// sockets. The answer is the length of its field.
func TestLargeHeadOnAnIdleConnection(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	tr := afterOne(t, func(c *net.TCPConn, br *bufio.Reader) {
		for range 2 {
			r, err := http.ReadRequest(br)
			if err != nil || len(r.Header.Get("X-Large")) != size {
				t.Errorf("got %v", err)
				return
			}
			io.WriteString(c, okResponse)
		}
		io.Copy(io.Discard, br)
	})
	for range 2 {
		r := request(t, "GET", "")
		r.Header.Set("X-Large", strings.Repeat("x", size))
		var x Call
		res, err := tr.RoundTrip(r, &x)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		if !x.Reused || x.Written() < size {
			t.Errorf("got %s", describe(&x))
		}
	}
}

// TestStaleIdleConnections has the upstream close several idle connections, or send bytes
// on them. Each is found before a byte is written, for any request, even if a wake-up of
// an earlier call is due.
func TestStaleIdleConnections(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*net.TCPConn){
		"closed": fin, "reset": rst, "half closed": func(c *net.TCPConn) { c.CloseWrite() },
		"an answer": func(c *net.TCPConn) { io.WriteString(c, strings.ReplaceAll(okResponse, "ok", "no")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const stale = 5
			var conns, again atomic.Int32
			meet, ended := make(chan struct{}), make(chan struct{}, stale)
			addr := serveRaw(t, func(c *net.TCPConn) {
				br := bufio.NewReader(c)
				readRequest(br)
				if conns.Add(1) > stale {
					io.WriteString(c, okResponse)
					io.Copy(io.Discard, br)
					return
				}
				io.WriteString(c, okResponse)
				<-meet
				end(c)
				ended <- struct{}{}
				if n, _ := br.Read(make([]byte, 1)); n > 0 {
					again.Add(1)
				}
			})
			tr := transport(t, addr)
			var open []*http.Response
			for range stale {
				res, err := tr.RoundTrip(request(t, "GET", ""), nil)
				if err != nil {
					t.Fatal(err)
				}
				open = append(open, res)
			}
			for _, res := range open {
				io.Copy(io.Discard, res.Body)
			}
			close(meet)
			for i := range stale {
				<-ended
				if i%2 == 0 {
					tr.pool.idle[i].nc.SetReadDeadline(time.Unix(1, 0))
				}
			}
			x := Call{Careful: true}
			r := request(t, "POST", "hello")
			res, err := tr.RoundTrip(r, &x)
			if err != nil {
				t.Fatal(err)
			}
			if x.Settled() {
				t.Error("settled with one of the idle connections")
			}
			if b, err := io.ReadAll(res.Body); string(b) != "ok" || err != nil {
				t.Errorf("got %q, %v", b, err)
			}
			if _, known := x.Acked(); x.Reused || x.End() != NoEnd || known || again.Load() != 0 || conns.Load() != stale+1 {
				t.Errorf("got %s, acked known %t, %d requests came on idle connections, %d connections", describe(&x), known, again.Load(), conns.Load())
			}
		})
	}
}
