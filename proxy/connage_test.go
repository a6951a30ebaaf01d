package proxy_test

import (
	"net"
	"net/http"
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
			var made, open atomic.Int32
			w.listen("app:80", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/long" {
					time.Sleep(15 * time.Second)
				}
			}), func(srv *http.Server) {
				srv.Protocols = new(http.Protocols)
				srv.Protocols.SetHTTP1(true)
				srv.Protocols.SetUnencryptedHTTP2(true)
				srv.ConnState = func(_ net.Conn, state http.ConnState) {
					switch state {
					case http.StateNew:
						made.Add(1)
						open.Add(1)
					case http.StateClosed:
						open.Add(-1)
					}
				}
			})
			for range 8 { // a second apart
				check(t, name+": status", w.get().status, 200)
				time.Sleep(time.Second)
			}
			check(t, name+": connections in the first 8 s", made.Load(), 1)
			time.Sleep(3 * time.Second)
			check(t, name+": status", w.get().status, 200)
			time.Sleep(time.Second)
			check(t, name+": connections after 12 s", made.Load(), 2)
			check(t, name+": of these open", open.Load(), 1)
			check(t, name+": status of a request that outlives the age", w.send("GET", "/long", nil).status, 200)
			time.Sleep(time.Second)
			check(t, name+": open after it", open.Load(), 0)
		})
	}
}
