package proxy_test

import (
	"io"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// A tunnel that stands still, or has been open for long, is closed, and its
// record says why.
func TestTunnelBounds(t *testing.T) {
	t.Parallel()
	f := func(bounds proxy.Tunnel, every, want time.Duration, cause string) {
		t.Helper()
		bubble(t, setup{pool: proxy.PoolOptions{Tunnel: bounds}, upstreams: specs("app:80")}, func(w *world) {
			w.script("app:80", func(c *wire) {
				c.header()
				c.say("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: echo\n\n")
				io.Copy(c, c.r)
			})
			c := w.dial()
			c.say("GET / HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: echo\n\n")
			c.response(t, nil)
			began := time.Now()
			var wg sync.WaitGroup
			defer wg.Wait()
			wg.Go(func() {
				for range 5 {
					time.Sleep(every)
					c.say("x")
				}
			})
			io.Copy(io.Discard, c.r)
			check(t, "ended after", time.Since(began), want)
			check(t, "cause", w.record().Err.Error(), cause)
		})
	}
	const second = time.Second
	f(proxy.Tunnel{Idle: 10 * second}, 6*second, 40*second, "nothing came through the tunnel for 10s (Idle)")
	f(proxy.Tunnel{Idle: 10 * second, Lifetime: 20 * second}, 6*second, 20*second, "the tunnel has been open for 20s (Lifetime)")
}
