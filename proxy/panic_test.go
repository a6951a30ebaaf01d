package proxy_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// A fallback pool may use another protocol than the route's pool, also with the PROXY
// protocol.
func TestFallbackByAnotherProtocol(t *testing.T) {
	t.Parallel()
	server, client := testTLS(t)
	for _, front := range []string{"net/http", "inbound"} {
		for name, o := range map[string]proxy.PoolOptions{
			"http1":         {},
			"h2":            {Protocol: proxy.HTTP2},
			"h2 over TLS":   {Protocol: proxy.HTTP2, TLS: client},
			"auto over TLS": {Protocol: proxy.Auto, TLS: client},
			"auto":          {Protocol: proxy.Auto},
		} {
			t.Run(front+" "+name, func(t *testing.T) {
				t.Parallel()
				var w *world
				synctestBubble(t, func(t *testing.T) {
					o.ProxyProtocol, o.Dial = proxy.ProxyV2, later(&w)
					spare, err := proxy.NewPool(balancer.Options{Name: "spare"}, o)
					if err != nil {
						t.Fatal(err)
					}
					spec := balancer.Spec{Addr: "example.com:443", TLS: o.TLS != nil, MaxInFlight: 1}
					spare.Update([]balancer.Spec{spec})
					s := setup{front: front, upstreams: []balancer.Spec{{Addr: "app:80", MaxInFlight: 1}}}
					s.route.Fallback = &proxy.Fallback{Pool: spare}
					w = start(t, s)
					w.inBubble = true
					l, err := w.net.Listen("example.com:443")
					if err != nil {
						t.Fatal(err)
					}
					srv := &http.Server{ErrorLog: discardLog, Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "spare") })}
					var wg sync.WaitGroup
					wg.Go(func() {
						told := &proxyproto.Listener{Listener: l}
						if o.TLS != nil {
							srv.TLSConfig = server.Clone()
							srv.ServeTLS(told, "", "")
							return
						}
						srv.Protocols = new(http.Protocols)
						srv.Protocols.SetHTTP1(true)
						srv.Protocols.SetUnencryptedHTTP2(true)
						srv.Serve(told)
					})
					t.Cleanup(func() {
						spare.Update(nil)
						srv.Close()
						wg.Wait()
					})
					for range 2 { // the second finds the places free
						got := w.get()
						check(t, "answer", fmt.Sprint(got.status, " ", got.body, " ", got.err), "200 spare <nil>")
					}
					synctest.Wait()
					check(t, "leases of the pool", w.pool.InFlight(), 0)
					check(t, "leases of the fallback pool", spare.InFlight(), 0)
				})
			})
		}
	}
}

// A panic during delivery or accounting leaks nothing: no lease, no place in a queue, no
// place of a limit.
func TestPanicLeavesNothing(t *testing.T) {
	t.Parallel()
	retry := retries(3)
	retry.Statuses = []int{503}
	retry.Hedge = proxy.Hedge{After: time.Second, Budget: 1}
	for _, front := range []string{"net/http", "inbound"} {
		for name, tc := range map[string]struct {
			path    string
			attempt int // that panics
		}{
			"the first attempt":      {"/fine", 1},
			"the second":             {"/refused", 2},
			"one to better":          {"/busy", 2},
			"a hedge":                {"/slow", 2},
			"the rest of an answer":  {"/cut", 2},
			"that of the fallback":   {"/busy", 4},
			"an observer":            {"/fine", 0},
			"a dead upstream's news": {"/dead", 0},
		} {
			t.Run(front+" "+name, func(t *testing.T) {
				t.Parallel()
				var w *world
				synctestBubble(t, func(t *testing.T) {
					attempts, armed := 0, true
					tracer := &reloading{change: func() {
						if attempts++; attempts == tc.attempt {
							panic("in the test")
						}
					}}
					bad := func() {
						if armed && tc.attempt == 0 {
							panic("in the test")
						}
					}
					o := proxy.PoolOptions{Dial: later(&w), Retry: retry, Queue: proxy.Queue{MaxRequests: 1}, Commit: proxy.Commit{Resume: true}}
					spare, err := proxy.NewPool(balancer.Options{Name: "spare", Policy: "first"}, o)
					if err != nil {
						t.Fatal(err)
					}
					spare.Update([]balancer.Spec{{Addr: "spare:80", MaxInFlight: 1}})
					t.Cleanup(func() { spare.Update(nil) })
					s := setup{front: front, pool: o}
					s.pool.Unreachable = func() {
						if tc.path == "/dead" {
							bad()
						}
					}
					s.upstreams = []balancer.Spec{{Addr: "app1:80", MaxInFlight: 1}, {Addr: "app2:80", MaxInFlight: 1}}
					if tc.path == "/dead" {
						s.upstreams[0].Addr = "dead:80"
					}
					s.route.Fallback = &proxy.Fallback{Pool: spare}
					s.route.Limits = &proxy.Limits{Requests: 1}
					s.proxy.Trace = tracer
					s.proxy.Observe = []func(*proxy.Record){func(*proxy.Record) {
						if tc.path == "/fine" {
							bad()
						}
					}}
					w = start(t, s)
					w.inBubble = true
					answer := func(rw http.ResponseWriter, r *http.Request) {
						switch r.URL.Path {
						case "/fine":
							rw.Header().Set("Content-Length", "4")
							fmt.Fprint(rw, "fine")
						case "/refused":
							panic(http.ErrAbortHandler)
						case "/busy":
							rw.WriteHeader(503)
						case "/slow":
							<-r.Context().Done()
						case "/cut":
							rw.Header().Set("Content-Length", "10")
							rw.Header().Set("Etag", `"1"`)
							rw.Header().Set("Accept-Ranges", "bytes")
							fmt.Fprint(rw, "01234")
							http.NewResponseController(rw).Flush()
							time.Sleep(time.Second)
							panic(http.ErrAbortHandler)
						}
					}
					for _, addr := range []string{"app1:80", "app2:80", "spare:80"} {
						w.app(addr, answer)
					}
					w.send("GET", tc.path, nil)
					armed = false
					if tc.attempt > 0 {
						check(t, "attempts", attempts, tc.attempt)
					}
					synctest.Wait()
					check(t, "leases", w.pool.InFlight(), 0)
					check(t, "leases of the fallback pool", spare.InFlight(), 0)
					got := w.send("GET", "/fine", nil)
					check(t, "next", fmt.Sprint(got.status, " ", got.body), "200 fine")
				})
			})
		}
	}
}
