package proxy_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/inbound"
	"github.com/goodgate/goodgate/proxy"
)

// BenchmarkProxy and BenchmarkStock send the same request, a GET of 1 kB, over persistent
// connections on loopback: through goodgate with its protections, and through 20 lines
// around the standard library's ReverseProxy.

func BenchmarkProxy(b *testing.B) { benchProxy(b, 1, proxy.Hedge{}) }

// BenchmarkProxyHedge is BenchmarkProxy with two upstreams. Requests may be hedged, but
// hardly ever are.
func BenchmarkProxyHedge(b *testing.B) {
	benchProxy(b, 2, proxy.Hedge{Quantile: 0.95, Budget: 0.05})
}

func benchProxy(b *testing.B, upstreams int, hedge proxy.Hedge) {
	var members []balancer.Spec
	for range upstreams {
		members = append(members, balancer.Spec{Addr: benchApp(b).Host})
	}
	benchGet(b, benchHandler(b, members, hedge))
}

// benchHandler is a proxy with its protections on.
func benchHandler(b *testing.B, members []balancer.Spec, hedge proxy.Hedge) http.Handler {
	pool, err := proxy.NewPool(balancer.Options{
		Name: "app", MaxEjected: 0.5,
		Breaker: balancer.BreakerOptions{Enabled: true, Consecutive: 5, FailureRatio: 0.5, MinRequests: 20},
	}, proxy.PoolOptions{
		Timeouts: proxy.Timeouts{ResponseHeader: time.Minute, Idle: time.Minute},
		Retry:    proxy.Retry{Attempts: 3, Statuses: []int{502, 503, 504}, Budget: 0.2, BudgetMin: 10, MaxBody: 64 << 10, Hedge: hedge},
		Hold:     proxy.Hold{For: 10 * time.Second, MaxRequests: 1000},
		Commit:   proxy.Commit{Buffer: 64 << 10},
	})
	if err != nil {
		b.Fatal(err)
	}
	pool.Update(members)
	b.Cleanup(func() { pool.Update(nil) })
	p, err := proxy.New(proxy.Options{
		Routes:   []proxy.Route{{Pool: pool}},
		Via:      "goodgate",
		Listener: proxy.Listener{BodyIdle: time.Minute, WriteIdle: time.Minute},
		Observe:  []func(*proxy.Record){proxy.LogJSON(io.Discard, slog.LevelInfo)},
	})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func BenchmarkStock(b *testing.B) {
	app := benchApp(b)
	benchGet(b, &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(app)
			r.SetXForwarded()
		},
		Transport:  &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, DialContext: (&net.Dialer{}).DialContext},
		BufferPool: new(buffers),
	})
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return p[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[32 << 10]byte)(p)) }

// benchApp is an application that answers with 1 kB.
func benchApp(b *testing.B) *url.URL {
	body := noise(1 << 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(body)
	}))
	b.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// benchGet sends requests to h, on one connection for each goroutine. The figures include
// the allocations of the client and the application, which are the same in all.
func benchGet(b *testing.B, h http.Handler) {
	srv := httptest.NewServer(h)
	defer srv.Close()
	client := srv.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 256
	b.ReportAllocs()
	for b.Loop() {
		res, err := client.Get(srv.URL)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
			b.Fatal(res.Status, err)
		}
		res.Body.Close()
	}
}

// BenchmarkPlainGet counts the allocations of a plain GET in goodgate's process: server,
// relay and transport. The client and the application allocate nothing.
func BenchmarkPlainGet(b *testing.B) {
	h := benchHandler(b, []balancer.Spec{{Addr: rawApp(b)}}, proxy.Hedge{})
	eachServer(b, h, askAgain)
}

// BenchmarkPost is BenchmarkPlainGet for a request with a body of 10 kB in one piece.
func BenchmarkPost(b *testing.B) {
	const size = 10 << 10
	h := benchHandler(b, []balancer.Spec{{Addr: rawAppAfter(b, size)}}, proxy.Hedge{})
	request := append([]byte("POST /a/path HTTP/1.1\r\nHost: app.example\r\nUser-Agent: bench\r\nContent-Length: 10240\r\n\r\n"), noise(size)...)
	eachServer(b, h, func(b *testing.B, addr string) { sendAgain(b, addr, request) })
}

// eachServer runs a benchmark with both servers.
func eachServer(b *testing.B, h http.Handler, run func(b *testing.B, addr string)) {
	b.Run("server=own", func(b *testing.B) { run(b, inboundServer(b, h)) })
	b.Run("server=net/http", func(b *testing.B) {
		srv := httptest.NewServer(h)
		defer srv.Close()
		run(b, srv.Listener.Addr().String())
	})
}

// inboundServer serves with goodgate's own server until the benchmark ends. It returns
// the address.
func inboundServer(b *testing.B, h http.Handler) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	o := inbound.Options{Handler: h, Base: b.Context()}
	if p, ok := h.(*proxy.Proxy); ok {
		l := proxy.Listener{BodyIdle: time.Minute, WriteIdle: time.Minute}
		o.Handler, o.Serve = nil, func(w inbound.ResponseWriter, r *proxy.Request) { p.ServeRequest(w, r, l) }
	}
	srv := inbound.New(o)
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(l) })
	b.Cleanup(func() {
		l.Close()
		srv.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// askAgain sends plain requests by one connection.
func askAgain(b *testing.B, addr string) {
	sendAgain(b, addr, []byte("GET /a/path HTTP/1.1\r\nHost: app.example\r\nUser-Agent: bench\r\n\r\n"))
}

// sendAgain sends a request over and over by one connection.
func sendAgain(b *testing.B, addr string, request []byte) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, 4<<10)
	ask := func() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if err := readWhole(c, buf); err != nil {
			b.Fatal(err)
		}
	}
	ask()
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}

// readWhole reads a response of rawApp's length.
func readWhole(c net.Conn, buf []byte) error {
	for n := 0; ; {
		m, err := c.Read(buf[n:])
		if err != nil {
			return err
		}
		n += m
		if head := bytes.Index(buf[:n], []byte("\r\n\r\n")); head >= 0 && n >= head+4+1<<10 {
			return nil
		}
	}
}

// rawApp answers every request with 1 kB, without parsing it.
func rawApp(b *testing.B) string { return rawAppAfter(b, 0) }

// rawAppAfter is rawApp for requests with a body of n bytes.
func rawAppAfter(b *testing.B, size int) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	response := append([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 1024\r\n\r\n"), noise(1<<10)...)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4<<10+size)
				for {
					if err := readRequest(c, buf, size); err != nil {
						return
					}
					if _, err := c.Write(response); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// readRequest reads a header and a body of n bytes.
func readRequest(c net.Conn, buf []byte, size int) error {
	for n := 0; ; {
		m, err := c.Read(buf[n:])
		if err != nil {
			return err
		}
		n += m
		if head := bytes.Index(buf[:n], []byte("\r\n\r\n")); head >= 0 && n >= head+4+size {
			return nil
		}
	}
}

// BenchmarkRewrite measures everything except the exchange with an upstream: the pool is
// empty, so a request is rewritten and then fails.
func BenchmarkRewrite(b *testing.B) {
	pool, err := proxy.NewPool(balancer.Options{Name: "app"}, proxy.PoolOptions{})
	if err != nil {
		b.Fatal(err)
	}
	p, err := proxy.New(proxy.Options{Routes: []proxy.Route{{Pool: pool, StripPrefix: "/api", AddPrefix: "/v1"}}, Via: "goodgate"})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/api/x?a=1", nil)
	r = r.WithContext(context.Background())
	r.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"bench"}, "X-Forwarded-For": {"10.0.0.1"}, "Connection": {"keep-alive"}}
	b.ReportAllocs()
	for b.Loop() {
		w := nowhere{}
		p.ServeHTTP(w, r)
	}
}

// nowhere is a client that accepts everything.
type nowhere http.Header

func (w nowhere) Header() http.Header       { return http.Header(w) }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkLog(b *testing.B) {
	record := proxy.Record{
		ID: "0123456789abcdef0123456789abcdef", Method: "GET", Host: "example.com", Path: "/path", Proto: "HTTP/1.1",
		Route: "all", Pool: "app", Upstream: "10.0.0.1:80", Status: 200, Sent: 1 << 10, Duration: time.Millisecond,
		Attempts: []proxy.Attempt{{Upstream: "10.0.0.1:80", Status: 200}},
	}
	failed := record
	failed.Attempts = []proxy.Attempt{{Upstream: "10.0.0.2:80", Reason: reason.ConnectRefused, Err: io.EOF, Decision: reason.Retried}, record.Attempts[0]}
	for name, r := range map[string]*proxy.Record{"plain": &record, "retried": &failed} {
		b.Run(name, func(b *testing.B) {
			log := proxy.LogJSON(io.Discard, slog.LevelInfo)
			b.ReportAllocs()
			for b.Loop() {
				log(r)
			}
		})
	}
}

// BenchmarkLargeGet is a GET of 1 MB on one connection. goodgate's own server passes the
// body on without a copy. net/http's copies it.
func BenchmarkLargeGet(b *testing.B) {
	body := noise(1 << 20)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}))
	defer app.Close()
	h := benchHandler(b, []balancer.Spec{{Addr: app.Listener.Addr().String()}}, proxy.Hedge{})
	eachServer(b, h, func(b *testing.B, addr string) {
		tr := &http.Transport{DisableCompression: true}
		defer tr.CloseIdleConnections()
		b.SetBytes(1 << 20)
		b.ReportAllocs()
		for b.Loop() {
			res, err := (&http.Client{Transport: tr}).Get("http://" + addr + "/")
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, res.Body); n != 1<<20 {
				b.Fatal(n, err)
			}
			res.Body.Close()
		}
	})
}
