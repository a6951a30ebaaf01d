package proxy_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// A tunnel that is idle, or has been open too long, is closed, and its record says why.
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
	f(proxy.Tunnel{Idle: 10 * second}, 6*second, 40*second, "nothing came through the tunnel for 10s (timeouts.tunnel_idle)")
	f(proxy.Tunnel{Idle: 10 * second, Lifetime: 20 * second}, 6*second, 20*second, "the tunnel has been open for 20s (timeouts.tunnel_lifetime)")
}

// The bytes of tunnels are counted while they are open, and the causes of their end
// afterwards.
func TestTunnelsCounted(t *testing.T) {
	t.Parallel()
	for want, end := range map[proxy.TunnelEnd]func(*world, *wire){
		proxy.TunnelClosed:   func(_ *world, c *wire) { c.Close() },
		proxy.TunnelIdle:     func(*world, *wire) { time.Sleep(11 * time.Second) },
		proxy.TunnelLifetime: func(_ *world, c *wire) { chat(c, 6) },
		proxy.TunnelDrained: func(w *world, _ *wire) {
			ctx, cancel := context.WithTimeout(w.tb.Context(), time.Second)
			defer cancel()
			w.proxy.ShutdownTunnels(ctx)
		},
	} {
		t.Run(want.String(), func(t *testing.T) {
			t.Parallel()
			bounds := proxy.Tunnel{Idle: 10 * time.Second, Lifetime: 25 * time.Second}
			bubble(t, setup{pool: proxy.PoolOptions{Tunnel: bounds}, upstreams: specs("app:80")}, func(w *world) {
				w.script("app:80", func(c *wire) {
					c.header()
					c.say("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: echo\n\nhi")
					io.Copy(c, c.r)
				})
				c := w.dial()
				c.say("GET / HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: echo\n\n")
				c.response(t, nil)
				c.say("x")
				w.settle()
				u := w.pool.Members()[0].Upstream
				got := proxy.TunnelsOf(u)
				check(t, "open", got, proxy.Tunnels{Open: 1, Opened: 1, ToUpstream: 1, ToClient: 3})
				end(w, c)
				io.Copy(io.Discard, c.r)
				rec := w.record()
				got = proxy.TunnelsOf(u)
				after := proxy.Tunnels{Opened: 1, ToUpstream: got.ToUpstream, ToClient: got.ToUpstream + 2}
				after.Ended[want] = 1
				check(t, "ended", got, after)
				check(t, "received", rec.Received, got.ToUpstream)
				check(t, "sent", rec.Sent, got.ToClient)
			})
		})
	}
}

// chat sends a message every five seconds.
func chat(c *wire, times int) {
	for range times {
		time.Sleep(5 * time.Second)
		c.say("x")
	}
}
