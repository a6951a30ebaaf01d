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

// reload makes the world's upstreams go by other options.
func (w *world) reload(o proxy.PoolOptions) {
	w.tb.Helper()
	next, err := w.pool.With(balancer.Options{Name: "app", Policy: "first"}, o)
	if err != nil {
		w.tb.Fatal(err)
	}
	next.Adopt()
}

// A change of what connections are made by, and the end of an upstream, cut no
// request: each ends as it would, and its connection with it.
func TestReloadCutsNobody(t *testing.T) {
	t.Parallel()
	server, client := testTLS(t)
	const connecting = time.Second // what making a connection takes
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
