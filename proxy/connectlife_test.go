package proxy_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// The limits of tunnels apply, and a WebSocket that must end gets a Close frame.
func TestWebSocketOverHTTP2Ends(t *testing.T) {
	t.Parallel()
	for want, end := range map[proxy.TunnelEnd]func(*world, *socket){
		proxy.TunnelClosed:   func(_ *world, s *socket) { s.to.Close() },
		proxy.TunnelIdle:     func(*world, *socket) { time.Sleep(11 * time.Second) },
		proxy.TunnelLifetime: func(_ *world, s *socket) { chatSocket(s) },
		proxy.TunnelDrained: func(w *world, _ *socket) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			w.proxy.ShutdownTunnels(ctx)
		},
	} {
		t.Run(want.String(), func(t *testing.T) {
			t.Parallel()
			s := http2Setup(setup{upstreams: specs("app:80")})
			s.pool.Tunnel = proxy.Tunnel{Idle: 10 * time.Second, Lifetime: 25 * time.Second}
			s.proxy.Listener = proxy.Listener{BodyIdle: time.Second, WriteIdle: time.Second}
			bubble(t, s, func(w *world) {
				w.script("app:80", func(c *wire) {
					c.accept("")
					c.say(wsFrame{0x81, false, "hi"}.String())
					io.Copy(io.Discard, c.r)
				})
				so := w.openSocket("/")
				time.Sleep(3 * time.Second) // longer than the limits of a body
				end(w, so)
				said := wsFrame{0x81, false, "hi"}.String()
				if want == proxy.TunnelDrained {
					said += "\x88\x02\x03\xe9"
				}
				got, err := io.ReadAll(so.Body)
				check(t, "heard", fmt.Sprintf("%q %v", got, err), fmt.Sprintf("%q <nil>", said))
				w.record()
				check(t, "ended", proxy.TunnelsOf(w.pool.Members()[0].Upstream).Ended[want], 1)
			})
		})
	}
}

// chatSocket sends a message every five seconds.
func chatSocket(s *socket) {
	for range 5 {
		time.Sleep(5 * time.Second)
		s.say(wsFrame{0x81, true, "x"}.String())
	}
}

// A client that resets the stream ends the connection to the upstream, and one that goes
// away in the middle of much data does, too.
func TestWebSocketOverHTTP2Reset(t *testing.T) {
	t.Parallel()
	for name, flood := range map[string]bool{"quiet": false, "while data waits": true} {
		bubble(t, http2Setup(setup{upstreams: specs("app:80")}), func(w *world) {
			ended := make(chan error, 1)
			w.script("app:80", func(c *wire) {
				c.accept("")
				for flood {
					if _, err := c.Write(make([]byte, 64<<10)); err != nil {
						break
					}
				}
				_, err := io.Copy(io.Discard, c.r)
				ended <- err
			})
			s := w.openSocket("/")
			synctest.Wait()
			s.Body.Close()
			<-ended
			check(t, name+": status", w.record().Status, 101)
			check(t, name+": open", proxy.TunnelsOf(w.pool.Members()[0].Upstream).Open, 0)
		})
	}
}

// A side that does not read stops the other one, and loses nothing.
func TestWebSocketOverHTTP2Backpressure(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	bubble(t, http2Setup(setup{upstreams: specs("app:80")}), func(w *world) {
		var sent, heard int64
		var mu sync.Mutex
		read := make(chan struct{})
		done := make(chan struct{})
		w.script("app:80", func(c *wire) {
			defer close(done)
			c.accept("")
			var wg sync.WaitGroup
			wg.Go(func() {
				<-read
				n, _ := io.Copy(io.Discard, c.r)
				mu.Lock()
				heard = n
				mu.Unlock()
			})
			for range size / 65536 {
				n, _ := c.Write(make([]byte, 65536))
				mu.Lock()
				sent += int64(n)
				mu.Unlock()
			}
			wg.Wait()
		})
		s := w.openSocket("/")
		var wg sync.WaitGroup
		var said int64
		wg.Go(func() {
			for range size / 65536 {
				n, _ := s.to.Write(make([]byte, 65536))
				mu.Lock()
				said += int64(n)
				mu.Unlock()
			}
			s.to.Close()
		})
		time.Sleep(time.Minute)
		mu.Lock()
		if sent > 6<<20 || said > 6<<20 {
			t.Errorf("nobody reads, and %d and %d bytes have left", sent, said)
		}
		mu.Unlock()
		close(read)
		n, err := io.Copy(io.Discard, s.Body)
		check(t, "the client heard", fmt.Sprint(n, err), fmt.Sprint(int64(size), nil))
		wg.Wait()
		<-done
		check(t, "the upstream heard", heard, size)
	})
}

// A WebSocket counts as a request in flight until it ends, at the latest with its drained
// upstream.
func TestWebSocketOverHTTP2HoldsItsLease(t *testing.T) {
	t.Parallel()
	bubble(t, http2Setup(setup{upstreams: specs("app:80")}), func(w *world) {
		w.script("app:80", func(c *wire) {
			c.accept("")
			io.Copy(c, c.r)
		})
		s := w.openSocket("/")
		check(t, "in flight", w.pool.InFlight(), 1)
		w.pool.Members()[0].SetOperator(balancer.Drain)
		now := time.Now()
		w.proxy.Sweep(now, time.Second)
		w.proxy.Sweep(now.Add(2*time.Second), time.Second)
		_, err := io.ReadAll(s.Body)
		check(t, "end", err, nil)
		w.record()
		check(t, "in flight", w.pool.InFlight(), 0)
	})
}
