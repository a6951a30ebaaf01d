package proxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// A fallback has its own copy of the request: net/http may still encode that of an
// abandoned HTTP/2 attempt. The race detector checks this. The test does not run in a
// bubble, whose clock stops while somebody waits for one of net/http's locks.
func TestFallbackLeavesEarlierRequestAlone(t *testing.T) {
	t.Parallel()
	var w *world
	spare, err := proxy.NewPool(balancer.Options{Name: "spare"}, proxy.PoolOptions{Dial: later(&w)})
	if err != nil {
		t.Fatal(err)
	}
	spare.Update(specs("spare:80"))
	t.Cleanup(func() { spare.Update(nil) })
	s := setup{upstreams: specs("app:80"), pool: h2(proxy.PoolOptions{Retry: proxy.Retry{PerTry: 100 * time.Millisecond}})}
	s.route.Host = proxy.HostUpstream
	s.route.Fallback = &proxy.Fallback{Pool: spare}
	answered := make(chan struct{})
	var once, end sync.Once
	release := func() { end.Do(func() { close(answered) }) }
	t.Cleanup(release)
	trace := &httptrace.ClientTrace{WroteHeaderField: func(name string, _ []string) {
		if name == "x-last" {
			once.Do(func() { <-answered })
		}
	}}
	s.server = func(srv *http.Server) {
		srv.BaseContext = func(net.Listener) context.Context {
			return httptrace.WithClientTrace(context.Background(), trace)
		}
	}
	w = start(t, s)
	w.h2app("app:80", func(http.ResponseWriter, *http.Request) {})
	w.app("spare:80", func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, r.Host) })
	r := w.request("GET", "/", nil)
	r.Header.Set("X-Last", "1")
	got := w.do(r)
	release()
	check(t, "answer", fmt.Sprint(got.status, " ", got.body, " ", got.err), "200 spare <nil>")
	check(t, "attempts", len(w.record().Attempts), 2)
}
