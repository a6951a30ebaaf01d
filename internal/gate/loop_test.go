package gate

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// leadsBack is an address that forwards to another one, which is set later, like a
// forwarded port or a name in a configuration. It counts used connections.
type leadsBack struct {
	addr string
	to   atomic.Pointer[string]
	n    atomic.Int64
}

func newLeadsBack(t *testing.T) *leadsBack {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &leadsBack{addr: ln.Addr().String()}
	var wg sync.WaitGroup
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				first := make([]byte, 1)
				if n, _ := c.Read(first); n == 0 {
					return // a probe
				}
				l.n.Add(1)
				to, err := net.Dial("tcp", *l.to.Load())
				if err != nil {
					return
				}
				defer to.Close()
				to.Write(first)
				wg.Go(func() { io.Copy(to, c); to.Close() })
				io.Copy(c, to)
			})
		}
	})
	return l
}

func loopConfig(upstream, extra string) string {
	return fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s, grace: 0s}
%s
pools: {app: {upstreams: [%q], health: {type: tcp}}}`, extra, upstream)
}

func lookAt(t *testing.T, addr string) (status int, proxyStatus, body string) {
	t.Helper()
	res, err := http.Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, res.Header.Get("Proxy-Status"), string(b)
}

// A request that comes back is answered 508 when it does so first (linkerd/linkerd#1411,
// vercel-labs/portless#48; RFC 9110, section 7.6), through any number of instances,
// and with Via switched off.
func TestLoopEnds(t *testing.T) {
	for _, instances := range []int{1, 3} {
		for _, extra := range []string{"", `via: ""`} {
			t.Run(fmt.Sprint(instances, " ", extra), func(t *testing.T) {
				back := newLeadsBack(t)
				next := back.addr
				for range instances {
					next = start(t, parse(t, loopConfig("http://"+next, extra)), Options{}).addrs[0]
				}
				back.to.Store(&next)
				status, why, _ := lookAt(t, next)
				if status != http.StatusLoopDetected || !strings.Contains(why, "proxy_loop_detected") || !strings.Contains(why, "loop_detected") {
					t.Errorf("got %d, %q, want 508 and the reason", status, why)
				}
				if n := back.n.Load(); n != 1 {
					t.Errorf("the request came back %d times, want 1", n)
				}
			})
		}
	}
}

// A chain of instances of the same name is no loop, and neither is a request that
// passes one instance by two routes.
func TestChainIsNoLoop(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
	t.Cleanup(app.Close)
	next := app.URL
	for range 3 {
		next = "http://" + start(t, parse(t, loopConfig(next, "")), Options{}).addrs[0]
	}
	if status, _, _ := lookAt(t, strings.TrimPrefix(next, "http://")); status != http.StatusOK {
		t.Errorf("three instances: got %d, want 200", status)
	}
	back := newLeadsBack(t)
	r := start(t, parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s, grace: 0s}
routes:
  - {name: second, match: {host: app.internal}, pool: app}
  - {name: first, pool: cache, host: app.internal}
pools:
  app: {upstreams: [%q]}
  cache: {upstreams: ["http://%s"], health: {type: tcp}}`, app.URL, back.addr)), Options{})
	back.to.Store(&r.addrs[0])
	if status, _, body := lookAt(t, r.addrs[0]); status != http.StatusOK || body != "app.internal" {
		t.Errorf("two routes of one instance: got %d, %q, want 200", status, body)
	}
}
