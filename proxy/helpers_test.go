package proxy_test

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/lab/memnet"
	"github.com/goodgate/goodgate/internal/wire/inbound"
	"github.com/goodgate/goodgate/proxy"
)

// setup holds the options of a world. Its zero value is one route to one pool without
// upstreams and without retries.
type setup struct {
	balancer  balancer.Options
	pool      proxy.PoolOptions
	proxy     proxy.Options // without Routes: the one route below
	route     proxy.Route   // without Pool: the world's own
	upstreams []balancer.Spec
	server    func(*http.Server)
	front     string // a frontKind; empty = the flag's
}

// world is a proxy between a client and upstreams, on a network in memory.
type world struct {
	tb     testing.TB
	net    *memnet.Network
	pool   *proxy.Pool
	proxy  *proxy.Proxy
	client *http.Client

	inBubble bool

	mu      sync.Mutex // protects the fields below
	records []proxy.Record
}

// bubble runs f in a bubble, with a world in it.
func bubble(t *testing.T, s setup, f func(w *world)) {
	t.Helper()
	synctestBubble(t, func(t *testing.T) {
		w := start(t, s)
		w.inBubble = true
		f(w)
	})
}

// synctestBubble runs f in a bubble, for more than one world or pool.
func synctestBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Second) }) // a server lingers before it closes a connection with unread data
		f(t)
	})
}

// later dials on the network of a world that is made later.
func later(w **world) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		return (*w).net.DialContext(ctx, network, addr)
	}
}

// start makes a world that ends with the test. It fails the test if a lease is left.
func start(tb testing.TB, s setup) *world {
	tb.Helper()
	w := &world{tb: tb, net: memnet.New()}
	if s.balancer.Name == "" {
		s.balancer.Name = "app"
	}
	if s.balancer.Policy == "" {
		s.balancer.Policy = "first"
	}
	if s.pool.Dial == nil {
		s.pool.Dial = w.net.DialContext
	}
	var err error
	if w.pool, err = proxy.NewPool(s.balancer, s.pool); err != nil {
		tb.Fatal(err)
	}
	w.pool.Update(s.upstreams)
	if s.route.Redirect == nil && s.route.Respond == nil {
		s.route.Pool = w.pool
	}
	s.proxy.Routes = append(s.proxy.Routes, s.route)
	s.proxy.Observe = append(s.proxy.Observe, w.observe)
	if w.proxy, err = proxy.New(s.proxy); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		w.pool.Update(nil)
		w.settle()
		if n := w.pool.InFlight(); n != 0 {
			tb.Errorf("leases left: got %d, want 0", n)
		}
	})
	w.front(s)
	tr := &http.Transport{
		DialContext:        w.dialer("front:80"),
		DisableCompression: true,
	}
	w.client = &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	tb.Cleanup(tr.CloseIdleConnections)
	return w
}

// dialer always connects to its own address.
func (w *world) dialer(addr string) func(ctx context.Context, network, _ string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return w.net.DialContext(ctx, "tcp", addr) }
}

// settle waits until the proxy is idle. In a bubble that is exact. Outside of one it
// waits for the leases.
func (w *world) settle() {
	if _, ok := w.tb.(*testing.B); ok {
		return
	}
	for range 200 {
		if w.pool.InFlight() == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond) // of a bubble's clock, or in a test that fails otherwise
	}
}

func (w *world) observe(r *proxy.Record) {
	kept := *r
	kept.Attempts = slices.Clone(r.Attempts)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, kept)
}

// record returns the record of the latest request. Outside of a bubble it waits for the
// first request, and is valid only for that.
func (w *world) record() proxy.Record {
	w.tb.Helper()
	if w.inBubble {
		synctest.Wait()
	}
	for range 1000 {
		w.mu.Lock()
		records := w.records
		w.mu.Unlock()
		if n := len(records); n > 0 {
			return records[n-1]
		}
		time.Sleep(10 * time.Millisecond) // ends after its limit, without failing the test
	}
	w.tb.Fatal("no request has ended")
	return proxy.Record{}
}

// listen serves h on addr until the test ends.
func (w *world) listen(addr string, h http.Handler, configure ...func(*http.Server)) *http.Server {
	w.tb.Helper()
	l, err := w.net.Listen(addr)
	if err != nil {
		w.tb.Fatal(err)
	}
	srv := &http.Server{Handler: h, ErrorLog: nil}
	srv.ErrorLog = discardLog
	for _, c := range configure {
		if c != nil {
			c(srv)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if srv.TLSConfig != nil {
			srv.ServeTLS(l, "", "")
		} else {
			srv.Serve(l)
		}
	})
	w.tb.Cleanup(func() {
		srv.Close()
		wg.Wait()
	})
	return srv
}

// frontKind selects the server for the clients of a world: net/http, as for users of the
// package; inbound, goodgate's own server, where the plain relay carries HTTP/1.1; or
// inbound in front of httputil's relay. A test that needs a feature of net/http's server
// gets it whatever the flag says.
var frontKind = flag.String("front", "net/http", "who serves clients in tests: net/http, inbound or inbound-httputil")

// front serves the clients.
func (w *world) front(s setup) {
	kind := cmp.Or(s.front, *frontKind)
	if s.server != nil || kind == "net/http" {
		w.listen("front:80", w.proxy, s.server)
		return
	}
	l, err := w.net.Listen("front:80")
	if err != nil {
		w.tb.Fatal(err)
	}
	o := inbound.Options{Base: context.Background(), KeepAlive: 75 * time.Second}
	if kind == "inbound" {
		o.Serve = func(rw inbound.ResponseWriter, r *proxy.Request) { w.proxy.ServeRequest(rw, r, s.proxy.Listener) }
	} else {
		o.Handler = w.proxy
	}
	srv := inbound.New(o)
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(l) })
	w.tb.Cleanup(func() {
		l.Close()
		srv.Close()
		wg.Wait()
	})
}

// app serves h as the upstream addr.
func (w *world) app(addr string, h http.HandlerFunc) *http.Server { return w.listen(addr, h) }

// wire is one connection of a scripted upstream.
type wire struct {
	*memnet.Conn
	r *bufio.Reader
	n int // counts the connections, from 1
}

// request reads a request with its body.
func (c *wire) request() (*http.Request, []byte) {
	r, err := http.ReadRequest(c.r)
	if err != nil {
		return nil, nil
	}
	body, _ := io.ReadAll(r.Body)
	return r, body
}

// header reads a request's header only.
func (c *wire) header() *http.Request {
	r, err := http.ReadRequest(c.r)
	if err != nil {
		return nil
	}
	return r
}

// say writes text with CRLF for every line feed.
func (c *wire) say(text string) {
	io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n"))
}

// script serves addr by hand: f runs for each connection. The connection closes when f
// returns.
func (w *world) script(addr string, f func(c *wire)) {
	w.tb.Helper()
	l, err := w.net.Listen(addr)
	if err != nil {
		w.tb.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[*memnet.Conn]bool{}
	wg.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mc := c.(*memnet.Conn)
			mu.Lock()
			open[mc] = true
			mu.Unlock()
			wg.Go(func() {
				defer mc.Close()
				f(&wire{Conn: mc, r: bufio.NewReader(mc), n: n})
			})
		}
	})
	w.tb.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}

// answer is the response that a client saw.
type answer struct {
	status  int
	header  http.Header
	trailer http.Header
	body    string
	err     error // of the exchange, or of reading the body
}

// do sends a request and reads the whole answer.
func (w *world) do(r *http.Request) answer {
	res, err := w.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, res.Trailer, string(b), err}
}

// send is do with a new request; body may be nil.
func (w *world) send(method, path string, body io.Reader) answer {
	return w.do(w.request(method, path, body))
}

func (w *world) get() answer { return w.send("GET", "/", nil) }

func (w *world) request(method, path string, body io.Reader) *http.Request {
	w.tb.Helper()
	r, err := http.NewRequest(method, "http://example.com"+path, body)
	if err != nil {
		w.tb.Fatal(err)
	}
	return r
}

// dial connects to the front, for a scripted client.
func (w *world) dial() *wire {
	w.tb.Helper()
	c, err := w.net.DialContext(context.Background(), "tcp", "front:80")
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { c.Close() })
	return &wire{Conn: c.(*memnet.Conn), r: bufio.NewReader(c)}
}

// response reads a response's header; the body follows on the wire.
func (c *wire) response(tb testing.TB, r *http.Request) *http.Response {
	tb.Helper()
	res, err := http.ReadResponse(c.r, r)
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

// log records the requests that upstreams received, in order.
type journal struct {
	mu    sync.Mutex // protects lines
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, " ")
}

// specs makes members of the addresses, in order.
func specs(addrs ...string) []balancer.Spec {
	s := make([]balancer.Spec, len(addrs))
	for i, a := range addrs {
		s[i].Addr = a
	}
	return s
}

// retries is a retry configuration with budget to spare.
func retries(attempts int) proxy.Retry {
	return proxy.Retry{Attempts: attempts, Budget: 1, BudgetMin: 100, MaxBody: 64 << 10,
		Backoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond}
}

func check[T comparable](tb testing.TB, what string, got, want T) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// decisions renders the attempts of a record: address, reason or status, decision.
func decisions(r proxy.Record) string {
	var b strings.Builder
	for i, a := range r.Attempts {
		if i > 0 {
			b.WriteString(" ")
		}
		what := a.Reason.String()
		if a.Status != 0 {
			what = fmt.Sprint(a.Status)
		}
		fmt.Fprintf(&b, "%s:%s:%s", strings.TrimSuffix(a.Upstream, ":80"), what, a.Decision)
	}
	return b.String()
}
