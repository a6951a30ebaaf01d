package proxy_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pires/go-proxyproto"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// A fallback pool may speak another protocol than the route's pool, also where its
// upstreams are told of the client.
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
