package proxy_test

import (
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// The breaker ejects an upstream that only refuses streams, although another upstream
// answers each request. It does not eject one that sometimes answers, or refuses only for
// a moment.
func TestRefusedStreamsCount(t *testing.T) {
	t.Parallel()
	f := func(name string, refuses func(n int) bool, every time.Duration, want balancer.BreakerState) {
		t.Run(name, func(t *testing.T) {
			s := setup{pool: h2(proxy.PoolOptions{Retry: retries(3)}), upstreams: specs("bad:80", "good:80")}
			s.balancer.MaxEjected = 1
			s.balancer.Breaker = balancer.BreakerOptions{Enabled: true, Consecutive: 5, FailureRatio: 0.5, MinRequests: 10, OpenFor: time.Hour}
			bubble(t, s, func(w *world) {
				n := 0
				w.frames("bad:80", func(c *framed) {
					for stream := c.request(); stream != 0; stream = c.request() {
						if n++; refuses(n) {
							c.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
						} else {
							c.header(stream, true, ":status", "200")
						}
					}
				})
				w.frames("good:80", func(c *framed) {
					for stream := c.request(); stream != 0; stream = c.request() {
						c.header(stream, true, ":status", "200")
					}
				})
				for range 30 {
					check(t, "status", w.send("POST", "/", nil).status, 200)
					time.Sleep(every)
				}
				check(t, "breaker", w.pool.Members()[0].Breaker(), want)
			})
		})
	}
	always := func(int) bool { return true }
	f("always", always, 100*time.Millisecond, balancer.Open)
	f("for less than a second", always, 10*time.Millisecond, balancer.Closed)
	f("now and then", always, time.Minute, balancer.Closed)
	f("most", func(n int) bool { return n%10 != 0 }, 100*time.Millisecond, balancer.Closed)
}
