package proxy_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// noise returns n bytes that differ from place to place.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

// A retry sends the body from its beginning, however much of it the first upstream has
// read.
func TestBodyIsReplayed(t *testing.T) {
	t.Parallel()
	body := noise(60 << 10)
	for _, taken := range []int{0, 1, 10 << 10, len(body)} {
		for name, reader := range map[string]io.Reader{
			"sized":     bytes.NewReader(body),
			"chunked":   io.MultiReader(bytes.NewReader(body)),
			"in pieces": iotest.HalfReader(bytes.NewReader(body)),
		} {
			bubble(t, retrySetup(), func(w *world) {
				var got []byte
				w.script("a:80", func(c *wire) {
					r := c.header()
					io.CopyN(io.Discard, r.Body, int64(taken))
				})
				w.app("b:80", func(_ http.ResponseWriter, r *http.Request) { got, _ = io.ReadAll(r.Body) })
				check(t, name+" status", w.send("PUT", "/", reader).status, 200)
				if !bytes.Equal(got, body) {
					t.Errorf("%s, %d bytes taken: the second upstream got %d bytes that differ", name, taken, len(got))
				}
				check(t, name+" received", w.record().Received, int64(len(body)))
			})
		}
	}
}

// An upstream that answers early may still be reading the body. A second one must not get
// the rest of it.
//
// This test, like similar ones, does not run in a bubble: a bubble's clock stops while a
// server waits for the lock of a body that is being read.
func TestBodyIsNotSharedWithUnfinishedUpload(t *testing.T) {
	t.Parallel()
	s := retrySetup()
	s.pool.Retry.PerTry = 0
	w := start(t, s)
	w.script("a:80", func(c *wire) {
		r := c.header()
		c.say("HTTP/1.1 503 Service Unavailable\nContent-Length: 4\n\nbusy")
		io.Copy(io.Discard, r.Body)
	})
	got := w.send("PUT", "/", io.MultiReader(bytes.NewReader(noise(1<<10)), &slow{pause: time.Millisecond, data: noise(128 << 10)}))
	check(t, "status", got.status, 503)
	check(t, "body", got.body, "busy")
	check(t, "attempts", decisions(w.record()), "a:503:body_gone")
}

// A body that fits the buffer reaches the second upstream completely, while the first is
// still reading.
func TestBodyIsSharedWhenItFits(t *testing.T) {
	t.Parallel()
	s := retrySetup()
	s.pool.Retry.PerTry = 0
	w := start(t, s)
	body := noise(32 << 10)
	var got []byte
	w.script("a:80", func(c *wire) {
		r := c.header()
		c.say("HTTP/1.1 503 Service Unavailable\nContent-Length: 4\n\nbusy")
		io.Copy(io.Discard, r.Body)
	})
	w.app("b:80", func(_ http.ResponseWriter, r *http.Request) { got, _ = io.ReadAll(r.Body) })
	r := w.request("PUT", "/", &slow{pause: time.Millisecond, data: body})
	r.ContentLength = int64(len(body))
	check(t, "status", w.do(r).status, 200)
	check(t, "same", bytes.Equal(got, body), true)
}

// slow is a client's body that arrives in parts of 4 KiB, with pauses.
type slow struct {
	pause time.Duration
	data  []byte
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	time.Sleep(s.pause)
	n := copy(p, s.data[:min(4<<10, len(s.data))])
	s.data = s.data[n:]
	return n, nil
}

func TestBodyIdle(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	s.proxy.Listener.BodyIdle = time.Second
	t.Run("slow but moving, and an answer that takes long", func(t *testing.T) {
		t.Parallel()
		bubble(t, s, func(w *world) {
			w.app("app:80", func(_ http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				time.Sleep(time.Minute)
			})
			for range 2 { // on one connection
				got := w.send("POST", "/", &slow{pause: 900 * time.Millisecond, data: noise(40 << 10)})
				check(t, "status", got.status, 200)
				time.Sleep(10 * time.Second)
			}
			check(t, "status without a body", w.get().status, 200)
		})
	})
	t.Run("a trickle of known length", func(t *testing.T) {
		t.Parallel()
		s := s
		s.proxy.Listener.BodyRate = 1000
		bubble(t, s, func(w *world) {
			w.app("app:80", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
			for _, tc := range []struct {
				name    string
				sized   bool
				pause   time.Duration // before each 4 KiB
				want    int
				atLeast time.Duration
			}{
				{"fast enough", true, 900 * time.Millisecond, 200, 9 * time.Second},
				{"of unknown length", false, 900 * time.Millisecond, 200, 9 * time.Second},
			} {
				r := w.request("POST", "/", &slow{pause: tc.pause, data: noise(40 << 10)})
				if tc.sized {
					r.ContentLength = 40 << 10
				}
				began := time.Now()
				check(t, tc.name, w.do(r).status, tc.want)
				check(t, tc.name+": it was slow", time.Since(began) >= tc.atLeast, true)
			}
			c := w.dial()
			c.say("POST / HTTP/1.1\nHost: x\nContent-Length: 1000\n\n")
			began := time.Now()
			go func() {
				for range 100 {
					time.Sleep(900 * time.Millisecond)
					if _, err := c.Write([]byte("x")); err != nil {
						return
					}
				}
			}()
			check(t, "a trickle", c.response(t, nil).StatusCode, 408)
			check(t, "it ended in time", time.Since(began).Round(10*time.Millisecond), time.Second)
			check(t, "reason", w.record().Reason, reason.RequestTimeout)
		})
	})
	t.Run("held for longer", func(t *testing.T) {
		t.Parallel()
		s := s
		s.pool.Hold = proxy.Hold{For: time.Minute, MaxRequests: 1}
		bubble(t, s, func(w *world) {
			go func() {
				time.Sleep(10 * time.Second)
				w.app("app:80", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
			}()
			check(t, "status", w.send("POST", "/", strings.NewReader("body")).status, 200)
		})
	})
	t.Run("stands still", func(t *testing.T) {
		t.Parallel()
		bubble(t, s, func(w *world) {
			w.script("app:80", waitsForClose)
			got := w.raw("POST / HTTP/1.1\nHost: example.com\nTransfer-Encoding: chunked\n\n4\nhalf\n")
			check(t, "status", got.status, 408)
			check(t, "took", w.record().Duration, time.Second)
		})
	})
	t.Run("while its upstream is gone", func(t *testing.T) {
		t.Parallel()
		bubble(t, s, func(w *world) {
			w.script("app:80", func(c *wire) { c.header() })
			got := w.raw("POST / HTTP/1.1\nHost: example.com\nContent-Length: 10\n\nhalf")
			check(t, "status", got.status, 502) // at once, without another byte from the client
			check(t, "took", w.record().Duration, 0)
		})
	})
}

// The server reads the rest of a body before it sends an early answer. A client that
// stops sending would otherwise never get the answer, and never release its connection.
func TestEarlyAnswerToStalledClient(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]setup{
		"no route":  {route: proxy.Route{Match: proxy.Match{Path: "/other"}}},
		"refused":   {upstreams: specs("nobody:80")},
		"answered":  {upstreams: specs("app:80")},
		"responded": {route: proxy.Route{Respond: &proxy.Respond{Status: 403}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.proxy.Listener.BodyIdle = 50 * time.Millisecond
			w := start(t, s)
			w.script("app:80", func(c *wire) {
				c.header()
				c.say("HTTP/1.1 413 Request Entity Too Large\nContent-Length: 0\n\n")
				waitsForClose(c)
			})
			got := w.raw("POST / HTTP/1.1\nHost: example.com\nContent-Length: 10\n\nhalf")
			if got.err != nil || got.status < 400 {
				t.Errorf("got %d, %v", got.status, got.err)
			}
		})
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	s := retrySetup()
	bubble(t, s, func(w *world) {
		w.script("a:80", func(c *wire) { c.header() }) // fails before it has requested the body
		w.app("b:80", func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Write(body)
		})
		c := w.dial()
		r := w.request("PUT", "/", nil)
		c.say("PUT / HTTP/1.1\nHost: example.com\nContent-Length: 4\nExpect: 100-continue\n\n")
		check(t, "first answer", c.response(t, r).StatusCode, 100)
		c.say("body")
		res := c.response(t, r)
		body, _ := io.ReadAll(res.Body)
		check(t, "answer", res.Status+" "+string(body), "200 OK body")
	})
}

// A client that expects a 100 and is refused does not send its body, unless the upstream
// keeps its connection: then http.Transport wants to send the body.
func TestExpectContinueRefused(t *testing.T) {
	t.Parallel()
	bubble(t, setup{upstreams: specs("app:80")}, func(w *world) {
		w.script("app:80", func(c *wire) {
			c.header()
			c.say("HTTP/1.1 417 Expectation Failed\nConnection: close\nContent-Length: 0\n\n")
			waitsForClose(c)
		})
		c := w.dial()
		defer c.Close()
		c.say("PUT / HTTP/1.1\nHost: example.com\nContent-Length: 4\nExpect: 100-continue\n\n")
		check(t, "status", c.response(t, nil).StatusCode, 417)
		check(t, "received", w.record().Received, int64(0))
	})
}

// TestPickAfterASlowBody: an upstream hangs while the body of a request arrives. A policy
// that compares waiting times then avoids it, although the request is older than the
// fault.
func TestPickAfterASlowBody(t *testing.T) {
	t.Parallel()
	s := setup{balancer: balancer.Options{Policy: "peak_ewma"}, upstreams: specs("a:80", "b:80")}
	s.pool.Retry = retries(2)
	bubble(t, s, func(w *world) {
		app := func(addr string, takes time.Duration) {
			w.app(addr, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if r.URL.Path == "/hangs" {
					takes = time.Minute
				}
				time.Sleep(takes)
				io.WriteString(w, addr)
			})
		}
		app("a:80", time.Millisecond)
		app("b:80", 100*time.Millisecond)
		a, b := w.pool.Members()[0], w.pool.Members()[1]
		b.SetOperator(balancer.Drain)
		check(t, "a alone", w.get().body, "a:80")
		a.SetOperator(balancer.Drain)
		b.SetOperator(balancer.Ready)
		check(t, "b alone", w.get().body, "b:80")
		a.SetOperator(balancer.Ready)

		slow := w.dial()
		r := w.request("PUT", "/", nil)
		slow.say("PUT / HTTP/1.1\nHost: example.com\nContent-Length: 4\n\nbo")
		time.Sleep(time.Millisecond)
		b.SetOperator(balancer.Drain)
		var wg sync.WaitGroup
		wg.Go(func() { w.send("GET", "/hangs", nil) })
		time.Sleep(time.Millisecond)
		b.SetOperator(balancer.Ready)
		time.Sleep(10 * time.Second)
		slow.say("dy")
		res := slow.response(t, r)
		body, _ := io.ReadAll(res.Body)
		check(t, "the slow one's", string(body), "b:80")
		wg.Wait()
	})
}

// A failed first attempt may still read the body, and use up bytes that the second one
// needs. Then the first failure is the answer, since the client is still there.
func TestBodyIsLostDuringRetry(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("one:80", "two:80")}
	s.pool.Retry = retries(3)
	s.pool.Retry.MaxBody = 16
	bubble(t, s, func(w *world) {
		w.script("one:80", func(c *wire) {
			c.header()
			io.ReadFull(c.r, make([]byte, len("five.")))
			synctest.Wait() // until its upload waits for the rest
		})
		second := make(chan struct{})
		w.script("two:80", func(c *wire) {
			c.header()
			close(second)
			io.Copy(io.Discard, c.r)
		})
		c := w.dial()
		c.say("PUT / HTTP/1.1\nHost: a\nContent-Length: 40\n\nfive.")
		<-second
		c.say(strings.Repeat("x", 35))
		res := c.response(t, nil)
		check(t, "status", res.StatusCode, http.StatusBadGateway)
		r := w.record()
		check(t, "reason", r.Reason, reason.ClosedBeforeResponse)
		check(t, "last decision", r.Attempts[len(r.Attempts)-1].Decision, reason.BodyGone)
	})
}
