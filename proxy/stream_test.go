package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// Every event reaches the client when it is sent, however long the pauses.
func TestEventsAreFlushedOneByOne(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	s.proxy.Listener.WriteIdle = time.Second
	for name, contentType := range map[string]string{"events": "text/event-stream", "unknown length": "text/plain"} {
		bubble(t, s, func(w *world) {
			w.app("app:80", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", contentType)
				c := http.NewResponseController(w)
				c.Flush()
				for i := range 3 {
					time.Sleep(10 * time.Second)
					fmt.Fprintf(w, "event %d\n", i)
					c.Flush()
				}
				time.Sleep(10 * time.Second)
			})
			began := time.Now()
			res, err := w.client.Do(w.request("GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			check(t, name+" header after", time.Since(began), 0)
			buf := make([]byte, 100)
			for i := range 3 {
				n, err := res.Body.Read(buf)
				check(t, name+" event", string(buf[:n]), fmt.Sprintf("event %d\n", i))
				check(t, name+" event's error", err, nil)
				check(t, name+" event after", time.Since(began), time.Duration(i+1)*10*time.Second)
			}
			_, err = res.Body.Read(buf)
			check(t, name+" end", err, io.EOF)
		})
	}
}

// A client that reads nothing is disconnected after WriteIdle, without blame for the
// upstream. The test does not run in a bubble, whose clock stops while httputil waits for
// a lock to flush.
func TestWriteIdle(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	s.proxy.Listener.WriteIdle = time.Second // within which the client takes the header, however busy the machine is
	w := start(t, s)
	body := noise(4 << 20)
	w.app("app:80", func(w http.ResponseWriter, _ *http.Request) { w.Write(body) })
	res, err := w.client.Do(w.request("GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	check(t, "reason", w.record().Reason, reason.ClientGone)
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("the client took a cut body for a whole one")
	}
}

// A connection that was idle for longer than WriteIdle still works.
func TestWriteIdleEndsWithTheResponse(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	s.proxy.Listener.WriteIdle = time.Second
	bubble(t, s, func(w *world) {
		w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			io.Copy(w, r.Body)
		})
		c := w.dial()
		for range 2 {
			c.say("PUT / HTTP/1.1\nHost: example.com\nContent-Length: 4\nExpect: 100-continue\n\n")
			check(t, "answer", c.response(t, nil).StatusCode, 103)
			check(t, "answer", c.response(t, nil).StatusCode, 100)
			c.say("body")
			res := c.response(t, nil)
			body, err := io.ReadAll(res.Body)
			check(t, "answer", res.Status+" "+string(body), "200 OK body")
			check(t, "error", err, nil)
			time.Sleep(time.Minute)
		}
	})
}

func TestInformationalResponses(t *testing.T) {
	t.Parallel()
	w := start(t, setup{upstreams: specs("app:80")})
	w.app("app:80", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Write([]byte("done"))
	})
	var hints []string
	r := w.request("GET", "/", nil)
	r = r.WithContext(httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, h.Get("Link")))
			return nil
		},
	}))
	got := w.do(r)
	check(t, "hints", fmt.Sprint(hints), "[103</style.css>; rel=preload]")
	check(t, "answer", got.body, "done")
	check(t, "left over", got.header.Get("Link"), "")
}

func TestTrailers(t *testing.T) {
	t.Parallel()
	w := start(t, setup{upstreams: specs("app:80")})
	w.app("app:80", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Write([]byte("body"))
		w.Header().Set("X-Sum", "1")
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
	})
	got := w.get()
	check(t, "body", got.body, "body")
	check(t, "announced", got.trailer.Get("X-Sum"), "1")
	check(t, "unannounced", got.trailer.Get("X-Late"), "2")
}

func TestAnswersWithoutABody(t *testing.T) {
	t.Parallel()
	w := start(t, setup{upstreams: specs("app:80")})
	w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/head":
			w.Header().Set("Content-Length", "1000")
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.Header().Set("ETag", `"x"`)
			w.WriteHeader(304)
		}
	})
	got := w.send("HEAD", "/head", nil)
	check(t, "HEAD", fmt.Sprint(got.status, got.header.Get("Content-Length"), got.body, got.err), "2001000<nil>")
	got = w.send("GET", "/204", nil)
	check(t, "204", fmt.Sprint(got.status, got.header["Content-Length"], got.err), "204 [] <nil>")
	got = w.send("GET", "/304", nil)
	check(t, "304", fmt.Sprint(got.status, got.header.Get("ETag"), got.err), `304"x"<nil>`)
	_, guessed := got.header["Content-Type"]
	check(t, "content type that nobody gave", guessed, false)
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	body := noise(8 << 20)
	for name, length := range map[string]int64{"sized": int64(len(body)), "chunked": -1} {
		w := start(t, setup{upstreams: specs("app:80"), pool: proxy.PoolOptions{Retry: retries(3), Timeouts: proxy.Timeouts{Idle: time.Minute}}})
		w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
			all, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Coding", fmt.Sprint(r.TransferEncoding))
			w.Write(all)
		})
		r := w.request("POST", "/", io.NopCloser(bytes.NewReader(body)))
		r.ContentLength = length
		got := w.do(r)
		check(t, name+" error", got.err, nil)
		check(t, name+" same", got.body == string(body), true)
		check(t, name+" coding", got.header.Get("X-Coding"), map[string]string{"sized": "[]", "chunked": "[chunked]"}[name])
		rec := w.record()
		check(t, name+" received", rec.Received, int64(len(body)))
		check(t, name+" sent", rec.Sent, int64(len(body)))
	}
}

// A slow body is not stalled. The limit takes effect between one and two times Idle.
func TestIdleBodies(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	s.pool.Timeouts.Idle = time.Second
	bubble(t, s, func(w *world) {
		w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			time.Sleep(10 * time.Second) // the bound is for bodies
			for range 10 {
				w.Write([]byte("."))
				http.NewResponseController(w).Flush()
				time.Sleep(900 * time.Millisecond)
			}
		})
		for range 2 { // the second on the same connection
			got := w.send("POST", "/", &slow{pause: 10 * time.Second, data: noise(12 << 10)})
			check(t, "answer", fmt.Sprint(got.status, got.body, got.err), "200..........<nil>")
			time.Sleep(10 * time.Second)
		}
		w.record()
	})
	bubble(t, s, func(w *world) {
		w.script("app:80", func(c *wire) {
			for range 2 {
				c.request()
				c.say("HTTP/1.1 200 OK\nContent-Length: 5\n\nwhole")
			}
			c.request()
			c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf")
			waitsForClose(c)
		})
		w.get()
		w.get()
		w.send("POST", "/", nil) // a GET would be sent again by the client
		rec := w.record()
		check(t, "reason", rec.Reason, reason.ResponseStalled)
		if rec.Duration < time.Second || rec.Duration > 2*time.Second {
			t.Errorf("stalled after %s, want 1s to 2s", rec.Duration)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := start(t, setup{upstreams: specs("app:80")})
	w.app("app:80", func(w http.ResponseWriter, r *http.Request) {})
	check(t, "before", w.raw("GET / HTTP/1.1\nHost: example.com\n\n").header.Get("Connection"), "")
	w.proxy.Drain()
	check(t, "an answer", w.raw("GET / HTTP/1.1\nHost: example.com\n\n").header.Get("Connection"), "close")
	check(t, "a failure", w.raw("CONNECT a:1 HTTP/1.1\nHost: a:1\n\n").header.Get("Connection"), "close")
}

// upgrade opens a tunnel to an application that repeats everything twice until its client
// has finished, and then says bye.
func upgrade(w *world) (client *wire) {
	w.script("app:80", func(c *wire) {
		r := c.header()
		if r == nil {
			return
		}
		c.say("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: " + r.Header.Get("Upgrade") + "\nX-App: yes\n\n")
		buf := make([]byte, 100)
		for {
			n, err := c.r.Read(buf)
			if err != nil {
				c.say("bye")
				return
			}
			c.say(string(buf[:n]) + string(buf[:n]))
		}
	})
	client = w.dial()
	client.say("GET /chat HTTP/1.1\nHost: example.com\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: x\n\n")
	res := client.response(w.tb, nil)
	check(w.tb, "status", res.StatusCode, 101)
	check(w.tb, "header", res.Header.Get("X-App")+res.Header.Get("Upgrade"), "yeswebsocket")
	return client
}

func (c *wire) expect(tb testing.TB, want string) {
	tb.Helper()
	buf := make([]byte, len(want))
	if _, err := io.ReadFull(c.r, buf); err != nil || string(buf) != want {
		tb.Errorf("got %q, %v, want %q", buf, err, want)
	}
}

func TestTunnel(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	s.pool.Timeouts = proxy.Timeouts{Idle: time.Second, ResponseHeader: time.Second, Request: time.Second}
	s.pool.Retry.PerTry = time.Second
	s.proxy.Listener = proxy.Listener{BodyIdle: time.Second, WriteIdle: time.Second}
	bubble(t, s, func(w *world) {
		c := upgrade(w)
		for range 3 {
			c.say("hi")
			c.expect(t, "hihi")
			time.Sleep(time.Minute)
			check(t, "in flight", w.pool.InFlight(), 1)
		}
		c.CloseWrite()
		c.expect(t, "bye")
		rec := w.record()
		check(t, "status", rec.Status, 101)
		check(t, "reason", rec.Reason, reason.None)
		check(t, "duration", rec.Duration, 3*time.Minute)
		check(t, "in flight", w.pool.InFlight(), 0)
	})
}

func TestTunnelEndsWithTheClient(t *testing.T) {
	t.Parallel()
	bubble(t, setup{upstreams: specs("app:80")}, func(w *world) {
		c := upgrade(w)
		c.Reset()
		synctest.Wait()
		check(t, "in flight", w.pool.InFlight(), 0)
	})
}

func TestShutdownTunnels(t *testing.T) {
	t.Parallel()
	bubble(t, setup{upstreams: specs("app:80")}, func(w *world) {
		c := upgrade(w)
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		w.proxy.ShutdownTunnels(ctx)
		check(t, "waited", time.Since(began), 11*time.Second) // the last of it for an answer to the Close frame
		if _, err := io.Copy(io.Discard, c.r); err != nil {
			t.Errorf("client: got %v, want the end", err)
		}
		synctest.Wait()
		check(t, "in flight", w.pool.InFlight(), 0)
	})
	bubble(t, setup{upstreams: specs("app:80")}, func(w *world) {
		c := upgrade(w)
		began := time.Now()
		go func() {
			time.Sleep(time.Second)
			c.CloseWrite()
		}()
		w.proxy.ShutdownTunnels(context.Background())
		check(t, "waited", time.Since(began), time.Second)
		w.proxy.ShutdownTunnels(context.Background())
	})
}

// An upgrade is retried like any request that can be sent again.
func TestUpgradeIsRetried(t *testing.T) {
	t.Parallel()
	s := retrySetup()
	s.upstreams = specs("nobody:80", "app:80")
	bubble(t, s, func(w *world) {
		c := upgrade(w)
		c.say("hi")
		c.expect(t, "hihi")
	})
}

// A refused upgrade is an ordinary answer. Upgrade is a list of protocols. All offered
// ones except HTTP reach the upstream, and it may choose any
// (nxtedition/node-http2-proxy#56).
func TestUpgradeIsAList(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ offered, arrives, chosen, want string }{
		{"Upgrade: foo/1, websocket", "foo/1, websocket", "Upgrade: websocket", "101 websocket"},
		{"Upgrade: foo/1, websocket", "foo/1, websocket", "Upgrade: FOO/1", "101 FOO/1"},
		{"Upgrade: foo/1\nUpgrade: WebSocket", "foo/1, WebSocket", "Upgrade: websocket", "101 websocket"},
		{"Upgrade: ,a ,, b/2", "a, b/2", "Upgrade: b/2", "101 b/2"},
		{"Upgrade: tls/1.3, foo", "tls/1.3, foo", "Upgrade: TLS/1.3, foo", "101 TLS/1.3, foo"},
		{"Upgrade: tls/1.3, foo", "tls/1.3, foo", "Upgrade: TLS/1.3\nUpgrade: foo", "101 TLS/1.3, foo"},
		{"Upgrade: websocket, h2c", "websocket", "Upgrade: websocket", "101 websocket"},
		{"Upgrade: HTTP/2.0, h2c, websocket", "websocket", "Upgrade: h2c", "502 "},
		{"Upgrade: h2c, HTTP/2.0", "", "", "200 "},
		{"Upgrade: foo/1, websocket", "foo/1, websocket", "Upgrade: foo/2", "502 "},
		{"Upgrade: foo/1, websocket", "foo/1, websocket", "Upgrade: websocket, other", "502 "},
		{"Upgrade: foo/1, websocket", "foo/1, websocket", "Upgrade: websocket, a b", "502 "},
		{"Upgrade: foo/1, websocket", "foo/1, websocket", "X: y", "502 "},
		{"Upgrade: websocket, a b, c/", "websocket", "Upgrade: websocket", "101 websocket"},
	} {
		relayed(t, setup{upstreams: specs("app:80")}, func(t *testing.T, w *world) {
			w.script("app:80", func(c *wire) {
				r := c.header()
				check(t, test.offered+" arrives as", strings.Join(r.Header["Upgrade"], "|"), test.arrives)
				if test.chosen == "" {
					c.say("HTTP/1.1 200 OK\nContent-Length: 0\n\n")
					return
				}
				c.say("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\n" + test.chosen + "\n\nhello")
			})
			c := w.dial()
			c.say("GET / HTTP/1.1\nHost: example.com\nConnection: Upgrade\n" + test.offered + "\n\n")
			res := c.response(t, nil)
			check(t, test.offered+", "+test.chosen, fmt.Sprint(res.StatusCode, " ", strings.Join(res.Header["Upgrade"], "|")), test.want)
			if res.StatusCode == 101 {
				c.expect(t, "hello")
			}
		})
	}
}

func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	bubble(t, setup{upstreams: specs("app:80")}, func(w *world) {
		w.app("app:80", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) })
		got := w.raw("GET /chat HTTP/1.1\nHost: example.com\nConnection: Upgrade\nUpgrade: websocket\n\n")
		check(t, "answer", fmt.Sprint(got.status, strings.TrimSpace(got.body)), "403no")
	})
}
