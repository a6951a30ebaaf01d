package health

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// keptServer answers each request by a function, and counts connections.
type keptServer struct {
	net.Listener
	addr   string
	conns  atomic.Int32
	answer atomic.Pointer[func(conn, request int32) string] // "" = it closes the connection
	mu     sync.Mutex
	open   []net.Conn
}

const answerOK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func newKeptServer(t testing.TB, answer func(conn, request int32) string) *keptServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &keptServer{Listener: l, addr: l.Addr().String()}
	s.answer.Store(&answer)
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); s.hangUp(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open = append(s.open, c)
			s.mu.Unlock()
			n := s.conns.Add(1)
			wg.Go(func() { s.serve(c, n) })
		}
	})
	return s
}

func (s *keptServer) serve(c net.Conn, n int32) {
	defer c.Close()
	in := bufio.NewReader(c)
	for request := int32(1); ; request++ {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		answer := (*s.answer.Load())(n, request)
		if _, err := io.WriteString(c, answer); err != nil || answer == "" || r.Close {
			return
		}
	}
}

// hangUp closes all connections.
func (s *keptServer) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		c.Close()
	}
	s.open = nil
}

// keeping is a checker of many upstreams with a job for one of them.
func keeping(t testing.TB, addr string, o Options) (*Checker, job) {
	o.Prober = newHTTP(t, HTTPOptions{})
	o.Interval, o.Thresholds = time.Second, balancer.Thresholds{Rise: 2, Fall: 2}
	if o.Kept == nil {
		o.Kept = NewKept(10)
	}
	c := NewChecker(o)
	for len(c.entries) < 300 {
		c.entries[new(balancer.Upstream)] = nil
	}
	e := &entry{upstream: upstreams(t, addr)[0]}
	t.Cleanup(e.line.close)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return c, job{e, ctx}
}

func TestKeptConnection(t *testing.T) {
	always := func(answer string) func(int32, int32) string {
		return func(int32, int32) string { return answer }
	}
	f := func(name string, answer func(conn, request int32) string, wantConns int32, wantKept bool) {
		t.Run(name, func(t *testing.T) {
			s := newKeptServer(t, answer)
			c, j := keeping(t, s.addr, Options{})
			for i := range 4 {
				if err := c.ask(j, time.Now()); err != nil {
					t.Errorf("probe %d: %v", i, err)
				}
			}
			if got, kept := s.conns.Load(), j.line.conn != nil; got != wantConns || kept != wantKept || c.opts.Kept.n.Load() != map[bool]int64{true: 1}[kept] {
				t.Errorf("%d connections, kept %t, %d counted; want %d, %t", got, kept, c.opts.Kept.n.Load(), wantConns, wantKept)
			}
		})
	}
	f("kept", always(answerOK), 1, true)
	f("without a body", always("HTTP/1.1 204 No Content\r\n\r\n"), 1, true)
	f("in chunks", always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), 1, true)
	f("the server closes", always("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"), 4, false)
	f("HTTP/1.0", always("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), 4, false)
	f("more than the response", always(answerOK+"x"), 4, false)
	f("a body too long to be read", always("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n"+strings.Repeat("x", 70000)), 4, false)
	// After any result except a pass on a kept connection, the probe asks again.
	f("ends on the second request", func(_, request int32) string {
		if request > 1 {
			return ""
		}
		return answerOK
	}, 4, true)
	f("fails on the second request", func(_, request int32) string {
		if request > 1 {
			return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
		}
		return answerOK
	}, 4, true)
}

// An upstream that has stopped accepting passes on a kept connection until that ends, or
// until live traffic notices.
func TestKeptConnectionEnds(t *testing.T) {
	s := newKeptServer(t, func(int32, int32) string { return answerOK })
	c, j := keeping(t, s.addr, Options{})
	ask := func(at time.Time) error { t.Helper(); return c.ask(j, at) }
	if err := ask(time.Now()); err != nil {
		t.Fatal(err)
	}
	until := j.line.until
	if left, life := time.Until(until), c.life(); left > life || left < life/2-time.Second {
		t.Errorf("kept for %v of %v", left, life)
	}
	s.Listener.Close()
	if err := ask(until.Add(-1)); err != nil {
		t.Errorf("before its time: %v", err)
	}
	wantResult(t, ask(until), balancer.Refused, "connect")
	if j.line.conn != nil {
		t.Error("kept after a failure")
	}
}

func TestKeptConnectionAfterLiveTrafficFailed(t *testing.T) {
	s := newKeptServer(t, func(int32, int32) string { return answerOK })
	c, j := keeping(t, s.addr, Options{})
	_, j.cancel = context.WithCancel(t.Context())
	probe := func() Event { e, _ := c.probe(t.Context(), j, time.Now()); return e }
	if e := probe(); e.Err != nil || j.line.conn == nil {
		t.Fatalf("%v, kept %t", e.Err, j.line.conn != nil)
	}
	s.Listener.Close()
	j.upstream.Refused()
	if e := probe(); e.Result != balancer.Refused {
		t.Errorf("got %v, want a refused connection: the kept one proves nothing", e.Err)
	}
}

func TestKeptConnectionsAreBounded(t *testing.T) {
	s := newKeptServer(t, func(int32, int32) string { return answerOK })
	for _, o := range []Options{{Kept: NewKept(0)}, {Kept: NewKept(1)}} {
		c, j := keeping(t, s.addr, o)
		other := j
		other.entry = &entry{upstream: j.upstream}
		c.ask(j, time.Now())
		c.ask(other, time.Now())
		if got := o.Kept.n.Load(); got != o.Kept.max || other.line.conn != nil {
			t.Errorf("%d kept, want %d", got, o.Kept.max)
		}
		j.line.close()
		if got := o.Kept.n.Load(); got != 0 {
			t.Errorf("%d counted after all were closed", got)
		}
	}
}

func TestLife(t *testing.T) {
	f := func(n, fall int, interval, want time.Duration) {
		t.Helper()
		c := NewChecker(Options{Prober: TCP{}, Interval: interval, Thresholds: balancer.Thresholds{Fall: fall}})
		for range n {
			c.entries[new(balancer.Upstream)] = nil
		}
		if got := c.life(); got != want {
			t.Errorf("%d upstreams, fall %d, every %v: got %v, want %v", n, fall, interval, got, want)
		}
	}
	f(100, 3, time.Second, 0)
	f(101, 3, time.Second, 1010*time.Millisecond)
	f(200, 3, 2*time.Second, 0)
	f(10_000, 3, time.Second, lineLife)
	f(10_000, 1, time.Second, 0)
	f(10_000, 3, time.Minute, 0)
}

// An upstream that is no longer watched keeps no connection.
func TestKeptConnectionsAreClosed(t *testing.T) {
	s := newKeptServer(t, func(int32, int32) string { return answerOK })
	kept := NewKept(1000)
	probed := make(chan struct{}, 1)
	c := NewChecker(Options{
		Prober: newHTTP(t, HTTPOptions{}), Interval: time.Second, Thresholds: balancer.Thresholds{Rise: 2, Fall: 2}, Kept: kept,
		Report: func(Event) {
			select {
			case probed <- struct{}{}:
			default:
			}
		},
	})
	var us []*balancer.Upstream
	for range 150 {
		us = append(us, upstreams(t, s.addr)...)
	}
	c.Watch(us)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { c.Run(ctx) })
	await := func(want int64) {
		t.Helper()
		for kept.n.Load() != want {
			<-probed
		}
	}
	await(150)
	c.Watch(us[:120])
	await(120)
	stop()
	wg.Wait()
	if got := kept.n.Load(); got != 0 {
		t.Errorf("%d connections kept after the end", got)
	}
}

// With many upstreams no goroutine waits for the next probe.
func TestManyUpstreamsNeedNoGoroutines(t *testing.T) {
	run(t, exact, 2000, func(t *testing.T, r *rig) {
		r.take()
		r.Checker.mu.Lock()
		defer r.Checker.mu.Unlock()
		if r.busy != 0 || len(r.queue) != 2000 {
			t.Errorf("%d workers between probes, %d in the queue; want none and 2000", r.busy, len(r.queue))
		}
	})
}
