package proxy_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/firewall"
	"github.com/goodgate/goodgate/proxy"
)

// forgetful is a firewall in front of servers. It can forget the existing connections,
// and the kernel then drops their packets.
type forgetful struct {
	mu    sync.Mutex // protects conns
	conns []*net.TCPConn
}

func (f *forgetful) track(c net.Conn, s http.ConnState) {
	if s == http.StateNew {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.conns = append(f.conns, c.(*net.TCPConn))
	}
}

func (f *forgetful) forget(t *testing.T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		if err := firewall.Forget(c); err != nil {
			t.Fatal(err)
		}
	}
}

// After a firewall has forgotten the idle connections, the next request is sent on a new
// one, to the same upstream if it is the only one.
func TestEvidenceOfADeadConnection(t *testing.T) {
	t.Parallel()
	for name, protocol := range map[string]proxy.Protocol{"HTTP/1.1": proxy.HTTP1, "HTTP/2": proxy.HTTP2} {
		for n := 1; n <= 3; n++ {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var between forgetful
				var addrs []string
				for range n {
					srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
					srv.Config.Protocols = new(http.Protocols)
					srv.Config.Protocols.SetHTTP1(true)
					srv.Config.Protocols.SetUnencryptedHTTP2(true)
					srv.Config.ConnState = between.track
					srv.Start()
					t.Cleanup(srv.Close)
					addrs = append(addrs, srv.Listener.Addr().String())
				}
				s := evidenceSetup(addrs...)
				s.balancer.Policy, s.balancer.Checked = "round_robin", false
				s.pool.Protocol = protocol
				s.pool.Dial = (&net.Dialer{}).DialContext
				w := start(t, s)
				for range 2 * n {
					check(t, "status", w.get().status, 200)
				}
				between.forget(t)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // the kernel gives up after 30 s
				defer cancel()
				check(t, "status afterwards", w.do(w.request("GET", "/", nil).WithContext(ctx)).status, 200)
			})
		}
	}
}
