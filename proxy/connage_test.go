package proxy_test

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// A connection to an upstream gets no more requests after its maximum age, and closes
// after the last one.
func TestConnectionAge(t *testing.T) {
	t.Parallel()
	for name, protocol := range map[string]proxy.Protocol{"HTTP/1.1": proxy.HTTP1, "HTTP/2": proxy.HTTP2} {
		s := setup{upstreams: specs("app:80")}
		s.pool.Protocol = protocol
		s.pool.Timeouts.Age = 10 * time.Second
		s.pool.Timeouts.KeepAlive = time.Hour
		bubble(t, s, func(w *world) {
			conns := w.countConns("app:80", func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/long" {
					time.Sleep(15 * time.Second)
				}
			})
			for range 8 { // a second apart
				check(t, name+": status", w.get().status, 200)
				time.Sleep(time.Second)
			}
			check(t, name+": connections in the first 8 s", conns.made.Load(), 1)
			time.Sleep(3 * time.Second)
			check(t, name+": status", w.get().status, 200)
			time.Sleep(time.Second)
			check(t, name+": connections after 12 s", conns.made.Load(), 2)
			check(t, name+": of these open", conns.open.Load(), 1)
			check(t, name+": status of a request that outlives the age", w.send("GET", "/long", nil).status, 200)
			time.Sleep(time.Second)
			check(t, name+": open after it", conns.open.Load(), 0)
		})
	}
}

// A connection to an upstream gets no more requests after a number of them. It closes
// after the last one, and no earlier.
func TestConnectionRequests(t *testing.T) {
	t.Parallel()
	for name, protocol := range map[string]proxy.Protocol{"HTTP/1.1": proxy.HTTP1, "HTTP/2": proxy.HTTP2} {
		s := setup{upstreams: specs("app:80")}
		s.pool.Protocol = protocol
		s.pool.ConnRequests = 3
		s.pool.Timeouts.KeepAlive = time.Hour
		bubble(t, s, func(w *world) {
			conns := w.countConns("app:80", func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/long" {
					time.Sleep(time.Minute)
				}
			})
			for range 7 { // one after the other
				check(t, name+": status", w.get().status, 200)
				time.Sleep(time.Second)
			}
			check(t, name+": connections", conns.made.Load(), 3)
			check(t, name+": open", conns.open.Load(), 1)
			var wg sync.WaitGroup
			for range 20 { // at once; the connection above takes part
				wg.Go(func() { check(t, name+": status of a long request", w.send("GET", "/long", nil).status, 200) })
			}
			time.Sleep(time.Second)
			want := int32(22) // HTTP/1.1: one connection each
			if protocol == proxy.HTTP2 {
				want = 3 + 6 // 2 requests on the third connection, 3 on each of 6 new ones
			}
			check(t, name+": connections for many at once", conns.made.Load(), want)
			wg.Wait()
			time.Sleep(time.Second)
			if protocol == proxy.HTTP2 {
				check(t, name+": open at last", conns.open.Load(), 0)
			}
		})
	}
}

// connCount counts the connections of a server.
type connCount struct{ made, open atomic.Int32 }

// countConns serves addr over HTTP/1.1 and HTTP/2.
func (w *world) countConns(addr string, h http.HandlerFunc) *connCount {
	n := new(connCount)
	w.listen(addr, h, func(srv *http.Server) {
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
		srv.ConnState = func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				n.made.Add(1)
				n.open.Add(1)
			case http.StateClosed:
				n.open.Add(-1)
			}
		}
	})
	return n
}
