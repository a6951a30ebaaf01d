package proxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/goodgate/goodgate/proxy"
)

// h2 returns options for upstreams that speak HTTP/2.
func h2(o proxy.PoolOptions) proxy.PoolOptions {
	o.Protocol = proxy.HTTP2
	return o
}

// h2app serves h on addr by HTTP/2 in the clear.
func (w *world) h2app(addr string, h http.HandlerFunc) *http.Server {
	return w.listen(addr, h, func(s *http.Server) {
		s.Protocols = new(http.Protocols)
		s.Protocols.SetUnencryptedHTTP2(true)
	})
}

// framed is one connection of an upstream that is scripted frame by frame.
type framed struct {
	*http2.Framer
	n int // counts the connections, from 1
}

// frames serves addr by hand: f runs for each connection after the settings.
func (w *world) frames(addr string, f func(c *framed), settings ...http2.Setting) {
	w.script(addr, func(c *wire) {
		io.ReadFull(c.r, make([]byte, len(http2.ClientPreface)))
		fr := &framed{http2.NewFramer(c, c.r), c.n}
		fr.WriteSettings(settings...)
		f(fr)
	})
}

// request reads until the end of a request and returns its stream, 0 at the end
// of the connection.
func (c *framed) request() uint32 { return c.asked(true) }

// header1 is request up to the end of a request's header.
func (c *framed) header1() uint32 { return c.asked(false) }

func (c *framed) asked(whole bool) uint32 {
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return 0
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				c.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				c.WritePing(true, f.Data)
			}
		case *http2.HeadersFrame:
			if !whole || f.StreamEnded() {
				return f.StreamID
			}
		case *http2.DataFrame:
			if whole && f.StreamEnded() {
				return f.StreamID
			}
		}
	}
}

// header sends a header, and the end of the stream if there is no body.
func (c *framed) header(stream uint32, end bool, fields ...string) {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b.Bytes(), EndHeaders: true, EndStream: end})
}

// wait reads until the connection ends.
func (c *framed) wait() {
	for c.request() != 0 {
	}
}

func TestHTTP2Upstream(t *testing.T) {
	t.Parallel()
	bubble(t, http2Setup(setup{pool: h2(proxy.PoolOptions{}), upstreams: specs("app:80")}), func(w *world) {
		w.useHTTP2()
		w.h2app("app:80", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			body, err := io.ReadAll(r.Body)
			w.Header().Set("Trailer", "X-Announced")
			w.Header().Set("X-Seen", fmt.Sprint(r.Proto, " ", r.Host, " ", len(body), " ", err, " ", r.ContentLength))
			w.Write(body)
			w.Header().Set("X-Announced", "a")
			w.Header().Set(http.TrailerPrefix+"X-Late", "b")
		})
		for _, body := range []string{"", "small", strings.Repeat("x", 300<<10)} {
			res, err := w.client.Do(w.request("POST", "/", strings.NewReader(body)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			check(t, "body", len(got), len(body))
			check(t, "seen", res.Header.Get("X-Seen"), fmt.Sprint("HTTP/2.0 example.com ", len(body), " <nil> ", len(body)))
			check(t, "trailers", res.Trailer.Get("X-Announced")+res.Trailer.Get("X-Late"), "ab")
		}
		a := w.record().Attempts[0]
		check(t, "reused", a.Reused, true)
		check(t, "sent", a.Sent > 300<<10, true)
	})
}

// A request that the upstream declares unprocessed is retried, even a POST.
func TestHTTP2NotProcessedIsSentAgain(t *testing.T) {
	t.Parallel()
	const anyone = 1<<31 - 1
	f := func(name, want string, sabotage func(c *framed, stream uint32)) {
		t.Run(name, func(t *testing.T) {
			s := setup{pool: h2(proxy.PoolOptions{Retry: retries(3)}), upstreams: specs("bad:80", "good:80")}
			bubble(t, s, func(w *world) {
				w.frames("bad:80", func(c *framed) {
					for stream := c.request(); stream != 0; stream = c.request() {
						sabotage(c, stream)
					}
				})
				w.h2app("good:80", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
				got := w.send("POST", "/", strings.NewReader("order"))
				check(t, "what happened", fmt.Sprint(got.status, " ", decisions(w.record())), want)
			})
		})
	}
	refused := "200 bad:stream_refused:retried bad:stream_refused:retried good:200:answered"
	f("refused", refused, func(c *framed, stream uint32) { c.WriteRSTStream(stream, http2.ErrCodeRefusedStream) })
	f("goaway", refused, func(c *framed, stream uint32) { c.WriteGoAway(0, http2.ErrCodeNo, nil) })
	f("goaway with an error", refused, func(c *framed, stream uint32) { c.WriteGoAway(0, http2.ErrCodeEnhanceYourCalm, []byte("calm")) })
	f("goaway in two steps", refused, func(c *framed, stream uint32) {
		c.WriteGoAway(anyone, http2.ErrCodeNo, nil)
		c.WriteGoAway(stream-1, http2.ErrCodeNo, nil)
	})
	f("goaway that spares it", "502 bad:closed_before_response:not_safe", func(c *framed, stream uint32) {
		c.WriteGoAway(stream, http2.ErrCodeNo, nil)
		c.WriteRSTStream(stream, http2.ErrCodeInternal)
	})
	f("another reset", "502 bad:closed_before_response:not_safe", func(c *framed, stream uint32) { c.WriteRSTStream(stream, http2.ErrCodeCancel) })
	f("nonsense", "502 bad:response_malformed:not_safe", func(c *framed, stream uint32) { c.WriteData(stream, false, []byte("no header")) })
}

// A connection that the upstream is ending takes no more requests. Those on it are
// answered.
func TestHTTP2GoAwayKeepsStreamsInFlight(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pool: h2(proxy.PoolOptions{Retry: retries(3)}), upstreams: specs("app:80")}, func(w *world) {
		w.frames("app:80", func(c *framed) {
			stream := c.request()
			c.WriteGoAway(stream, http2.ErrCodeNo, nil)
			time.Sleep(time.Second)
			c.header(stream, true, ":status", "204")
			c.wait()
		})
		for range 2 {
			check(t, "status", w.send("POST", "/", nil).status, 204)
			check(t, "attempts", decisions(w.record()), "app:204:answered")
			check(t, "reused", w.record().Attempts[0].Reused, false)
		}
	})
}

// A server that does not answer in HTTP/2 gets no request. The request may go elsewhere.
func TestHTTP2UpstreamWithoutHTTP2(t *testing.T) {
	t.Parallel()
	f := func(name, want string, bad func(c *wire)) {
		t.Run(name, func(t *testing.T) {
			s := setup{pool: h2(proxy.PoolOptions{Retry: retries(3)}), upstreams: specs("bad:80", "good:80")}
			bubble(t, s, func(w *world) {
				w.script("bad:80", bad)
				w.h2app("good:80", func(w http.ResponseWriter, r *http.Request) {})
				check(t, "status", w.send("POST", "/", nil).status, 200)
				check(t, "what happened", decisions(w.record()), want+" good:200:answered")
			})
		})
	}
	f("HTTP/1.1", "bad:response_malformed:retried", func(c *wire) {
		c.say("HTTP/1.1 400 Bad Request\n\n")
		io.Copy(io.Discard, c)
	})
	f("hangs up", "bad:closed_before_response:retried", func(c *wire) {})
	f("silent", "bad:connect_timeout:retried", func(c *wire) { io.Copy(io.Discard, c) })
}

// A connection that does not answer a ping is closed.
func TestHTTP2PingFindsDeadConnection(t *testing.T) {
	t.Parallel()
	s := setup{pool: h2(proxy.PoolOptions{Retry: retries(3), Timeouts: proxy.Timeouts{Ping: 10 * time.Second}}), upstreams: specs("app:80")}
	bubble(t, s, func(w *world) {
		w.frames("app:80", func(c *framed) {
			stream := c.request()
			if c.n == 1 {
				time.Sleep(time.Hour)
				return
			}
			c.header(stream, true, ":status", "204")
			c.wait()
		})
		began := time.Now()
		check(t, "status", w.get().status, 204)
		check(t, "what happened", decisions(w.record()), "app:response_timeout:retried app:204:answered")
		check(t, "lost after", time.Since(began).Round(time.Second), 20*time.Second)
	})
}

// A connection with a long overdue answer takes no more requests.
func TestHTTP2SilentConnectionIsAvoided(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pool: h2(proxy.PoolOptions{}), upstreams: specs("app:80")}, func(w *world) {
		w.frames("app:80", func(c *framed) {
			stream := c.request()
			if c.n == 1 {
				time.Sleep(time.Minute)
			}
			c.header(stream, true, ":status", "204")
			c.wait()
		})
		var wg sync.WaitGroup
		wg.Go(func() { w.get() })
		time.Sleep(10 * time.Second)
		began := time.Now()
		check(t, "status", w.get().status, 204)
		check(t, "took", time.Since(began), time.Duration(0))
		wg.Wait()
	})
}

// Requests beyond the upstream's limit of streams use more connections.
func TestHTTP2StreamLimit(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pool: h2(proxy.PoolOptions{Retry: retries(3)}), upstreams: specs("app:80")}, func(w *world) {
		var conns atomic.Int32
		w.frames("app:80", func(c *framed) {
			conns.Add(1)
			for stream := c.request(); stream != 0; stream = c.request() {
				time.Sleep(time.Second)
				c.header(stream, true, ":status", "204")
			}
		}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		check(t, "first", w.get().status, 204) // from here on the limit is known
		began := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { check(t, "status", w.send("POST", "/", nil).status, 204) })
		}
		wg.Wait()
		check(t, "took", time.Since(began), time.Second)
		check(t, "connections", conns.Load(), 4)
	})
}

// A response that breaks off before the client has seen a byte is replaced.
func TestHTTP2CommitLate(t *testing.T) {
	t.Parallel()
	s := setup{pool: h2(proxy.PoolOptions{Retry: retries(3), Commit: proxy.Commit{Buffer: 64 << 10}}), upstreams: specs("bad:80", "good:80")}
	bubble(t, s, func(w *world) {
		w.frames("bad:80", func(c *framed) {
			stream := c.request()
			c.header(stream, false, ":status", "200", "content-length", "10")
			c.WriteData(stream, false, []byte("half "))
			c.WriteRSTStream(stream, http2.ErrCodeInternal)
			c.wait()
		})
		w.h2app("good:80", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "whole body") })
		check(t, "body", w.get().body, "whole body")
		check(t, "what happened", decisions(w.record()), "bad:200:retried good:200:answered")
	})
}

// A body that pauses is passed on as it arrives. One that stops is ended.
func TestHTTP2SlowBody(t *testing.T) {
	t.Parallel()
	s := setup{pool: h2(proxy.PoolOptions{Commit: proxy.Commit{Buffer: 64 << 10}, Timeouts: proxy.Timeouts{Idle: 10 * time.Second}}), upstreams: specs("app:80")}
	bubble(t, s, func(w *world) {
		w.frames("app:80", func(c *framed) {
			stream := c.request()
			c.header(stream, false, ":status", "200")
			c.WriteData(stream, false, []byte("one"))
			time.Sleep(5 * time.Second)
			c.WriteData(stream, false, []byte("two"))
			c.wait()
		})
		res, err := w.client.Do(w.request("GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		b := make([]byte, 10)
		n, _ := res.Body.Read(b)
		check(t, "first part", string(b[:n]), "one")
		check(t, "without waiting", time.Since(began), time.Duration(0))
		rest, err := io.ReadAll(res.Body)
		check(t, "second part", string(rest), "two")
		check(t, "ended badly", err != nil, true)
		check(t, "reason", w.record().Reason, reason.ResponseStalled)
	})
}

// A call that streams in both directions passes as it arrives, and the end of one
// direction does not wait for the other.
func TestHTTP2BothWays(t *testing.T) {
	t.Parallel()
	s := http2Setup(setup{pool: h2(proxy.PoolOptions{Commit: proxy.Commit{Buffer: 64 << 10}, Retry: proxy.Retry{MaxBody: 1 << 10}}), upstreams: specs("app:80")})
	bubble(t, s, func(w *world) {
		w.useHTTP2()
		w.h2app("app:80", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/grpc")
			c := http.NewResponseController(w)
			b := make([]byte, 100)
			for {
				n, err := r.Body.Read(b)
				if err != nil || string(b[:n]) == "stop" {
					break
				}
				w.Write(b[:n])
				c.Flush()
			}
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
		})
		f := func(last string) {
			pr, pw := io.Pipe()
			r := w.request("POST", "/pkg.Service/Method", pr)
			r.Header.Set("Content-Type", "application/grpc")
			r.Header.Set("Te", "trailers")
			go pw.Write([]byte("0"))
			res, err := w.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 100)
			res.Body.Read(b)
			for i := range 5 {
				fmt.Fprint(pw, i)
				n, err := res.Body.Read(b)
				check(t, "echo", fmt.Sprint(string(b[:n]), " ", err), fmt.Sprint(i, " <nil>"))
			}
			if last == "" {
				pw.Close()
			} else {
				io.WriteString(pw, last)
			}
			_, err = io.Copy(io.Discard, res.Body)
			check(t, "end", err, nil)
			check(t, "status", res.Trailer.Get("Grpc-Status"), "0")
			check(t, "reason", w.record().Reason, reason.None)
		}
		f("")
		f("stop") // the client never ends its side
	})
}

// A client that leaves ends only its own stream.
func TestHTTP2UpstreamSeesClientLeave(t *testing.T) {
	t.Parallel()
	bubble(t, setup{pool: h2(proxy.PoolOptions{}), upstreams: specs("app:80")}, func(w *world) {
		left := make(chan error, 1)
		w.h2app("app:80", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-r.Context().Done()
				left <- r.Context().Err()
			}
		})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := w.client.Do(w.request("GET", "/slow", nil).WithContext(ctx))
		check(t, "client failed", err != nil, true)
		check(t, "upstream saw it", <-left, context.Canceled)
		check(t, "reason", w.record().Reason, reason.ClientGone)
		check(t, "next", w.get().status, 200)
		check(t, "on the same connection", w.record().Attempts[0].Reused, true)
	})
}

// An upstream states its protocols by ALPN, and may change them.
func TestAutoProtocol(t *testing.T) {
	t.Parallel()
	server, client := testTLS(t)
	for _, idle := range []int{0, -1} {
		s := setup{upstreams: specs("example.com:443")}
		s.upstreams[0].TLS = true
		s.pool = proxy.PoolOptions{Protocol: proxy.Auto, TLS: client, MaxIdleConns: idle}
		bubble(t, s, func(w *world) {
			serve := func(protos ...string) *http.Server {
				return w.listen("example.com:443", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					fmt.Fprint(w, r.Proto, " ", string(body))
				}), func(s *http.Server) {
					s.TLSConfig = server.Clone()
					s.Protocols = new(http.Protocols)
					s.Protocols.SetHTTP1(true)
					s.Protocols.SetHTTP2(len(protos) > 0)
				})
			}
			for _, protos := range [][]string{{"h2"}, nil, {"h2"}} {
				srv := serve(protos...)
				want := "HTTP/1.1 hello"
				if protos != nil {
					want = "HTTP/2.0 hello"
				}
				for range 2 {
					check(t, "spoken", w.send("POST", "/", strings.NewReader("hello")).body, want)
				}
				srv.Close()
				time.Sleep(time.Second)
			}
		})
	}
}
