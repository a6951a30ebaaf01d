package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// relayed runs f in worlds of the plain relay and of httputil's.
func relayed(t *testing.T, s setup, f func(t *testing.T, w *world)) {
	for _, front := range []string{"inbound", "inbound-httputil"} {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			s := s
			s.front = front
			bubble(t, s, func(w *world) { f(w.tb.(*testing.T), w) })
		})
	}
}

// A trailer has the fields that the upstream sent as a trailer, and not header fields of
// the same names.
func TestTrailerBesideHeader(t *testing.T) {
	t.Parallel()
	relayed(t, setup{upstreams: specs("app:80")}, func(t *testing.T, w *world) {
		w.script("app:80", func(c *wire) {
			c.request()
			c.say("HTTP/1.1 200 OK\nX-Sum: 0\nTrailer: X-Sum, X-Late\nTransfer-Encoding: chunked\n\n2\nhi\n0\nX-Sum: 2\n\n")
		})
		got := w.get()
		if h, tr := got.header["X-Sum"], got.trailer["X-Sum"]; got.body != "hi" || !slices.Equal(h, []string{"0"}) || !slices.Equal(tr, []string{"2"}) {
			t.Errorf("got %q, X-Sum %q in the header and %q in the trailer", got.body, h, tr)
		}
	})
}

// A declared stream is passed on as it arrives, with or without a length.
func TestSizedStreamIsPrompt(t *testing.T) {
	t.Parallel()
	for _, media := range []string{"text/event-stream", "application/grpc"} {
		relayed(t, setup{upstreams: specs("app:80")}, func(t *testing.T, w *world) {
			w.script("app:80", func(c *wire) {
				c.request()
				c.say(fmt.Sprintf("HTTP/1.1 200 OK\nContent-Type: %s\nContent-Length: 4\n\nhi", media))
				time.Sleep(time.Minute)
				c.say("ho")
			})
			began := time.Now()
			res, err := w.client.Get("http://example.com/")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if _, err := io.ReadFull(res.Body, make([]byte, 2)); err != nil || time.Since(began) > time.Second {
				t.Errorf("%s: the first part came after %v, %v", media, time.Since(began), err)
			}
		})
	}
}

// A slow answer is passed on as it arrives, also one of known length, and its header does
// not wait for its body (symfony-cli/symfony-cli#729, golang/go#41858).
func TestSlowAnswerIsPrompt(t *testing.T) {
	t.Parallel()
	const pause = 400 * time.Millisecond
	for _, test := range []struct {
		name   string
		buffer int64 // of the pool's commit
		header string
		part   int
		http2  bool
		first  time.Duration // until the header comes
	}{
		{"small", 64 << 10, "Content-Length: %d", 10, false, 50 * time.Millisecond},
		{"larger than the buffer", 1 << 10, "Content-Length: %d", 1000, false, 0},
		{"larger than the limit for pipes", 64 << 10, "Content-Length: %d", 20 << 10, false, 0},
		{"not held", 0, "Content-Length: %d", 10, false, 0},
		{"of unknown length", 64 << 10, "X-Length: %d", 10, false, 50 * time.Millisecond},
		{"small, HTTP/2", 64 << 10, "Content-Length: %d", 10, true, 50 * time.Millisecond},
		{"larger than the buffer, HTTP/2", 1 << 10, "Content-Length: %d", 1000, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := setup{upstreams: specs("app:80")}
			s.pool.Commit.Buffer = test.buffer
			if test.http2 {
				s.pool = h2(s.pool)
			}
			relayed(t, s, func(t *testing.T, w *world) {
				const parts = 10
				app := func(rw http.ResponseWriter, _ *http.Request) {
					name, value, _ := strings.Cut(fmt.Sprintf(test.header, parts*test.part), ": ")
					rw.Header().Set(name, value)
					for range parts {
						http.NewResponseController(rw).Flush()
						time.Sleep(pause)
						io.WriteString(rw, strings.Repeat("x", test.part))
					}
				}
				if test.http2 {
					w.h2app("app:80", app)
				} else {
					w.app("app:80", app)
				}
				began := time.Now()
				res, err := w.client.Get("http://example.com/")
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				check(t, "header after", time.Since(began), test.first)
				for i := range parts {
					if _, err := io.ReadFull(res.Body, make([]byte, test.part)); err != nil {
						t.Fatal(err)
					}
					check(t, fmt.Sprint("part ", i, " after"), time.Since(began), pause*time.Duration(i+1))
				}
			})
		})
	}
}

// A request without a User-Agent reaches the upstream without one, over both versions of
// HTTP.
func TestNoUserAgent(t *testing.T) {
	t.Parallel()
	for _, front := range []string{"inbound", "inbound-httputil"} {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			var w *world
			synctestBubble(t, func(t *testing.T) {
				second, err := proxy.NewPool(balancer.Options{Name: "second", Policy: "first"}, h2(proxy.PoolOptions{Dial: later(&w)}))
				if err != nil {
					t.Fatal(err)
				}
				second.Update(specs("second:80"))
				t.Cleanup(func() { second.Update(nil) })
				w = start(t, setup{upstreams: specs("down:80"), front: front, route: proxy.Route{Fallback: &proxy.Fallback{Pool: second}}})
				w.inBubble = true
				w.h2app("second:80", func(rw http.ResponseWriter, r *http.Request) { fmt.Fprintf(rw, "%q", r.Header["User-Agent"]) })
				r := w.request("GET", "/", nil)
				r.Header["User-Agent"] = nil
				check(t, "User-Agent of HTTP/2", w.do(r).body, "[]")
			})
		})
	}
}
