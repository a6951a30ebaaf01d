package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/goodgate/goodgate/proxy"
)

// streams is a SETTINGS_MAX_CONCURRENT_STREAMS.
func streams(n uint32) http2.Setting {
	return http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: n}
}

// together sends n requests at once. It returns the outcomes with their counts.
func (w *world) together(n int, method string) map[string]int {
	results := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			got := w.send(method, "/", nil)
			mu.Lock()
			defer mu.Unlock()
			results[fmt.Sprint(got.status, " ", got.header.Get("Proxy-Status"))]++
		})
	}
	wg.Wait()
	return results
}

// With all connection settings, valid requests are answered without a retry: a connection
// that net/http has stopped using costs nothing. Before, requests that raced with the end
// of one got 400.
//
// This test does not run in parallel: a busy net/http server ends connections whose
// SETTINGS it has not read within 2 s.
func TestHTTP2LostConnectionsAreNoFailures(t *testing.T) {
	f := func(name string, o proxy.PoolOptions) {
		t.Run(name, func(t *testing.T) {
			o.Timeouts.Dial, o.Timeouts.TLS = time.Minute, time.Minute
			w := start(t, setup{pool: h2(o), upstreams: specs("app:80")})
			w.h2app("app:80", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 25 {
						if got := w.send("POST", "/", strings.NewReader("order")); got.status != 200 || got.body != "order" {
							t.Errorf("got %d %q", got.status, got.body)
						}
					}
				})
			}
			wg.Wait()
		})
	}
	f("a connection for each request", proxy.PoolOptions{MaxIdleConns: -1})
	f("and kept for no time", proxy.PoolOptions{MaxIdleConns: -1, Timeouts: proxy.Timeouts{KeepAlive: time.Nanosecond}})
	f("kept for no time", proxy.PoolOptions{Timeouts: proxy.Timeouts{KeepAlive: time.Nanosecond}})
	f("kept for a moment", proxy.PoolOptions{Timeouts: proxy.Timeouts{KeepAlive: 100 * time.Microsecond}})
	f("kept for 1ms", proxy.PoolOptions{Timeouts: proxy.Timeouts{KeepAlive: time.Millisecond}})
	f("kept", proxy.PoolOptions{})
}

// An upstream that allows no streams gets one connection, and each request fails at once
// with the reason, or goes to another upstream.
func TestHTTP2NoStreams(t *testing.T) {
	t.Parallel()
	for _, refuge := range []bool{false, true} {
		s := setup{pool: h2(proxy.PoolOptions{Retry: retries(3)}), upstreams: specs("full:80")}
		want := "503 goodgate; error=connection_terminated; details=\"stream_refused\""
		if refuge {
			s.upstreams, want = specs("full:80", "good:80"), "200 "
		}
		bubble(t, s, func(w *world) {
			var conns atomic.Int32
			w.frames("full:80", func(c *framed) {
				conns.Add(1)
				c.wait()
			}, streams(0))
			w.h2app("good:80", func(http.ResponseWriter, *http.Request) {})
			began := time.Now()
			check(t, "answers", fmt.Sprint(w.together(100, "POST")), fmt.Sprint(map[string]int{want: 100}))
			check(t, "at once", time.Since(began) < time.Second, true)
			check(t, "connections", conns.Load(), 1)
			time.Sleep(time.Minute)
			w.together(100, "POST")
			check(t, "connections a minute later", conns.Load(), 2)
		})
	}
}

// The limit may rise later.
func TestHTTP2StreamsComeLater(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pool: h2(proxy.PoolOptions{}), upstreams: specs("app:80")}, func(w *world) {
		var conns atomic.Int32
		w.frames("app:80", func(c *framed) {
			conns.Add(1)
			time.Sleep(500 * time.Millisecond)
			c.WriteSettings(streams(1))
			c.answer()
		}, streams(0))
		check(t, "before", w.get().status, 503)
		time.Sleep(600 * time.Millisecond)
		check(t, "after", w.get().status, 204)
		check(t, "connections", conns.Load(), 1)
	})
}

// answer answers all requests of a connection.
func (c *framed) answer() {
	for stream := c.request(); stream != 0; stream = c.request() {
		c.header(stream, true, ":status", "204")
	}
}

// An upstream that withdraws its streams, or ends each connection, gets at most one
// connection for each request.
func TestHTTP2UselessConnections(t *testing.T) {
	t.Parallel()
	f := func(name, want string, most int, script func(c *framed), settings ...http2.Setting) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, setup{pool: h2(proxy.PoolOptions{Retry: retries(3)}), upstreams: specs("app:80")}, func(w *world) {
				var conns, open, mostOpen atomic.Int32
				w.frames("app:80", func(c *framed) {
					conns.Add(1)
					mostOpen.Store(max(mostOpen.Load(), open.Add(1)))
					defer open.Add(-1)
					script(c)
				}, settings...)
				got := map[string]int{}
				for range 10 {
					for k, n := range w.together(2, "POST") {
						got[k[:3]] += n
					}
				}
				check(t, "answers", fmt.Sprint(got), "map["+want+":20]")
				if n := int(conns.Load()); n > most {
					t.Errorf("connections: got %d, want at most %d", n, most)
				}
				check(t, "few at once", mostOpen.Load() <= 4, true)
			})
		})
	}
	f("lowered by the first request", "204", 20, func(c *framed) {
		stream := c.request()
		c.WriteSettings(streams(0))
		c.header(stream, true, ":status", "204")
		c.answer()
	}, streams(1))
	f("lowered at once", "503", 80, func(c *framed) {
		c.WriteSettings(streams(0))
		c.wait()
	}, streams(100))
	f("goaway at once", "503", 80, func(c *framed) {
		c.WriteGoAway(0, http2.ErrCodeNo, nil)
		c.wait()
	})
	f("goaway a moment later", "503", 80, func(c *framed) {
		time.Sleep(time.Millisecond)
		c.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, nil)
		c.wait()
	})
	f("closed after the settings", "502", 80, func(c *framed) {})
	f("closed after invalid settings", "502", 80, func(c *framed) {
		c.WriteRawFrame(http2.FrameSettings, 0, 0, []byte("odd"))
		c.wait()
	})
	f("all refused", "503", 20, func(c *framed) {
		for stream := c.request(); stream != 0; stream = c.request() {
			c.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		}
	})
}

// With one attempt allowed, a refused request still goes to another upstream, also once
// the upstream has refused streams for so long that the breaker counts it.
func TestHTTP2RefusedWithOneAttempt(t *testing.T) {
	t.Parallel()
	s := setup{pool: h2(proxy.PoolOptions{Retry: retries(1)}), upstreams: specs("bad:80", "good:80")}
	s.balancer.Policy, s.balancer.Breaker.Enabled = "first", false
	bubble(t, s, func(w *world) {
		w.frames("bad:80", func(c *framed) {
			for stream := c.request(); stream != 0; stream = c.request() {
				c.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			}
		})
		w.h2app("good:80", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		for _, want := range []string{"200 bad:stream_refused:retried bad:stream_refused:retried good:200:answered", "200 bad:stream_refused:retried good:200:answered"} {
			got := w.send("POST", "/", strings.NewReader("order"))
			check(t, "what happened", fmt.Sprint(got.status, " ", decisions(w.record())), want)
			time.Sleep(2 * time.Second)
		}
	})
}

// A refused request is retried a bounded number of times, and never after a part of an
// answer has arrived.
func TestHTTP2RefusalsAreBounded(t *testing.T) {
	t.Parallel()
	f := func(name string, attempts int, want string, sent int32, script func(c *framed, stream uint32)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup{pool: h2(proxy.PoolOptions{Retry: retries(attempts), Commit: proxy.Commit{Buffer: 64 << 10}, Hold: proxy.Hold{For: 10 * time.Second}}), upstreams: specs("app:80")}
			bubble(t, s, func(w *world) {
				var n atomic.Int32
				w.frames("app:80", func(c *framed) {
					for stream := c.request(); stream != 0; stream = c.request() {
						n.Add(1)
						script(c, stream)
					}
				})
				got := w.send("POST", "/", strings.NewReader("order"))
				check(t, "answer", fmt.Sprint(got.status, " ", w.record().Reason), want)
				check(t, "sent", n.Load(), sent)
			})
		})
	}
	refuse := func(c *framed, stream uint32) { c.WriteRSTStream(stream, http2.ErrCodeRefusedStream) }
	f("again and again", 3, "503 stream_refused", 3, refuse)
	f("with one attempt", 1, "503 stream_refused", 3, refuse)
	f("with ten attempts", 10, "503 stream_refused", 10, refuse)
	f("after a 103", 3, "502 closed_before_response", 1, func(c *framed, stream uint32) {
		c.header(stream, false, ":status", "103", "link", "</a>")
		refuse(c, stream)
	})
	f("goaway after a 103", 3, "502 closed_before_response", 1, func(c *framed, stream uint32) {
		c.header(stream, false, ":status", "103", "link", "</a>")
		time.Sleep(time.Second)
		c.WriteGoAway(0, http2.ErrCodeNo, nil)
	})
	f("after a 100", 3, "502 closed_before_response", 1, func(c *framed, stream uint32) {
		c.header(stream, false, ":status", "100")
		refuse(c, stream)
	})
	f("after the header", 3, "502 response_truncated", 1, func(c *framed, stream uint32) {
		c.header(stream, false, ":status", "200")
		refuse(c, stream)
	})
	f("after half a body", 3, "502 response_truncated", 1, func(c *framed, stream uint32) {
		c.header(stream, false, ":status", "200", "content-length", "10")
		c.WriteData(stream, false, []byte("half "))
		c.WriteGoAway(0, http2.ErrCodeNo, nil)
	})
}
