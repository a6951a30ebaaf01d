package proxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// reload applies other options to the world's upstreams.
func (w *world) reload(o proxy.PoolOptions) {
	w.tb.Helper()
	next, err := w.pool.With(balancer.Options{Name: "app", Policy: "first"}, o)
	if err != nil {
		w.tb.Fatal(err)
	}
	next.Adopt()
}

// Neither a change of connection options nor the removal of an upstream cuts a request.
// Each request ends normally, and its connection closes after it.
func TestReloadKeepsRequestsInFlight(t *testing.T) {
	t.Parallel()
	server, client := testTLS(t)
	const connecting = time.Second // the time to open a connection
	change := func(w *world, o proxy.PoolOptions) {
		o.Timeouts.Idle = time.Hour
		w.reload(o)
	}
	remove := func(w *world, _ proxy.PoolOptions) { w.pool.Update(nil) }
	f := func(name string, o proxy.PoolOptions, at time.Duration, end func(*world, proxy.PoolOptions)) {
		t.Run(fmt.Sprint(name, " after ", at), func(t *testing.T) {
			t.Parallel()
			var w *world
			s := setup{pool: o, upstreams: specs("example.com:443")}
			s.upstreams[0].TLS = o.TLS != nil
			s.pool.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				time.Sleep(connecting)
				return w.net.DialContext(ctx, network, addr)
			}
			s.pool.Timeouts.Dial = time.Minute
			o = s.pool
			bubble(t, s, func(world *world) {
				w = world
				var open atomic.Int32
				w.listen("example.com:443", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Write([]byte("half,"))
					http.NewResponseController(w).Flush()
					time.Sleep(3 * time.Second)
					w.Write([]byte("rest"))
				}), func(srv *http.Server) {
					if o.TLS != nil {
						srv.TLSConfig = server.Clone()
						srv.TLSConfig.NextProtos = []string{"h2", "http/1.1"}
					} else {
						srv.Protocols = new(http.Protocols)
						srv.Protocols.SetHTTP1(true)
						srv.Protocols.SetUnencryptedHTTP2(true)
					}
					srv.ConnState = func(_ net.Conn, state http.ConnState) {
						switch state {
						case http.StateNew:
							open.Add(1)
						case http.StateClosed:
							open.Add(-1)
						}
					}
				})
				done := make(chan answer)
				go func() { done <- w.get() }()
				time.Sleep(at)
				end(w, o)
				got := <-done
				check(t, "answer", fmt.Sprint(got.status, " ", got.body, " ", got.err), "200 half,rest <nil>")
				check(t, "reason", w.record().Reason, reason.None)
				check(t, "attempts", len(w.record().Attempts), 1)
				time.Sleep(time.Second)
				check(t, "connections left", open.Load(), 0)
				if len(w.pool.Members()) == 0 {
					return
				}
				check(t, "next", w.get().body, "half,rest")
				check(t, "its connection is kept", open.Load(), 1)
			})
		})
	}
	pools := map[string]proxy.PoolOptions{
		"http1":                  {},
		"h2":                     {Protocol: proxy.HTTP2},
		"h2 over TLS":            {Protocol: proxy.HTTP2, TLS: client},
		"auto":                   {Protocol: proxy.Auto, TLS: client},
		"h2, a request for each": {Protocol: proxy.HTTP2, MaxIdleConns: -1},
	}
	for name, o := range pools {
		kept := o.MaxIdleConns >= 0
		for _, at := range []time.Duration{connecting / 2, 2 * connecting} {
			if kept {
				f(name+" changed", o, at, change)
			}
			f(name+" removed", o, at, remove)
		}
	}
}

// reloading is a trace that changes the pool while an attempt is being made.
type reloading struct{ change func() }

func (t *reloading) Begin(*proxy.Request, bool) proxy.Trace { return t }
func (t *reloading) ID() string                             { return "" }
func (t *reloading) End(*proxy.Record)                      {}
func (t *reloading) Attempt() (string, proxy.SpanID) {
	t.change()
	return "", proxy.SpanID{}
}

// An attempt uses the transport that it was made for, whatever protocol the upstream has
// by the time that the attempt is sent.
func TestReloadBetweenPreparingAndSending(t *testing.T) {
	t.Parallel()
	server, client := testTLS(t)
	f := func(name string, before, after proxy.Protocol, hedge bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w *world
			tracer := new(reloading)
			s := setup{front: "inbound", upstreams: specs("example.com:443", "example.com:444")}
			for i := range s.upstreams {
				s.upstreams[i].TLS = true
			}
			s.proxy.Trace = tracer
			s.pool = proxy.PoolOptions{Protocol: before, TLS: client}
			if hedge {
				s.pool.Retry = proxy.Retry{Attempts: 2, Budget: 1, BudgetMin: 10, Hedge: proxy.Hedge{After: time.Second, Budget: 1}}
			}
			attempts := 0
			tracer.change = func() {
				if attempts++; hedge && attempts == 1 {
					return
				}
				o := s.pool
				o.Protocol, o.Dial = after, w.net.DialContext
				w.reload(o)
			}
			bubble(t, s, func(world *world) {
				w = world
				slow := func(rw http.ResponseWriter, r *http.Request) {
					if hedge {
						<-r.Context().Done()
						return
					}
					fmt.Fprint(rw, "hello")
				}
				secure := func(srv *http.Server) { srv.TLSConfig = server.Clone() }
				w.listen("example.com:443", http.HandlerFunc(slow), secure)
				w.listen("example.com:444", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, "hello") }), secure)
				for range 2 {
					got := w.get()
					check(t, "answer", fmt.Sprint(got.status, " ", got.body, " ", got.err), "200 hello <nil>")
				}
			})
		})
	}
	for _, hedge := range []bool{false, true} {
		f(fmt.Sprint("http1 to h2, hedged ", hedge), proxy.HTTP1, proxy.HTTP2, hedge)
		f(fmt.Sprint("http1 to auto, hedged ", hedge), proxy.HTTP1, proxy.Auto, hedge)
		f(fmt.Sprint("h2 to http1, hedged ", hedge), proxy.HTTP2, proxy.HTTP1, hedge)
	}
}

// The PROXY header for an upstream follows the options of its connections, also for a
// request that began before these options changed.
func TestReloadOfProxyProtocol(t *testing.T) {
	t.Parallel()
	for _, front := range []string{"net/http", "inbound"} {
		for _, before := range []proxy.ProxyProtocol{0, proxy.ProxyV1} {
			t.Run(fmt.Sprint(front, " from version ", before), func(t *testing.T) {
				t.Parallel()
				after := proxy.ProxyV1 - before
				s := setup{front: front, upstreams: specs("gone:80", "app:80"), pool: proxy.PoolOptions{ProxyProtocol: before, Retry: retries(2)}}
				tracer := new(reloading)
				s.proxy.Trace = tracer
				bubble(t, s, func(w *world) {
					tracer.change = func() {
						w.reload(proxy.PoolOptions{ProxyProtocol: after, Retry: retries(2), Dial: w.net.DialContext})
					}
					w.script("app:80", func(c *wire) {
						told := false
						if first, _ := c.r.Peek(6); string(first) == "PROXY " {
							told = true
							c.r.ReadString('\n')
						}
						c.request()
						c.say(fmt.Sprintf("HTTP/1.1 200 OK\nContent-Length: 5\n\n%-5v", told))
					})
					got := w.get()
					check(t, "answer", fmt.Sprint(got.status, " ", got.body), fmt.Sprintf("200 %-5v", after != 0))
				})
			})
		}
	}
}
