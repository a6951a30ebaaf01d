package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/goodgate/goodgate/proxy"
)

// autoUpstream serves example.com:443 with TLS: connections that agree on HTTP/2 frame by
// frame, the others with h. offers are its ALPN protocols.
func (w *world) autoUpstream(cfg *tls.Config, offers func() []string, frames func(c *framed), h http.HandlerFunc) {
	w.tb.Helper()
	l, err := w.net.Listen("example.com:443")
	if err != nil {
		w.tb.Fatal(err)
	}
	plain := make(handed)
	srv := &http.Server{Handler: h, ErrorLog: discardLog}
	cfg = cfg.Clone()
	cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := cfg.Clone()
		c.GetConfigForClient = nil
		c.NextProtos = offers()
		return c, nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(plain) })
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				c := tls.Server(nc, cfg)
				if c.Handshake() != nil {
					nc.Close()
					return
				}
				if c.ConnectionState().NegotiatedProtocol != "h2" {
					plain <- c
					return
				}
				defer c.Close()
				io.ReadFull(c, make([]byte, len(http2.ClientPreface)))
				fr := &framed{Framer: http2.NewFramer(c, c)}
				fr.WriteSettings()
				frames(fr)
			})
		}
	})
	w.tb.Cleanup(func() {
		l.Close()
		w.pool.Update(nil) // its connections end
		srv.Close()
		wg.Wait()
	})
}

// handed is a listener for connections that others have accepted.
type handed chan net.Conn

func (h handed) Accept() (net.Conn, error) {
	c, ok := <-h
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (h handed) Close() error {
	close(h)
	return nil
}

func (h handed) Addr() net.Addr { return &net.TCPAddr{} }

func autoSetup(t *testing.T, retry proxy.Retry) (setup, *tls.Config) {
	server, client := testTLS(t)
	s := setup{upstreams: specs("example.com:443"), pool: proxy.PoolOptions{Protocol: proxy.Auto, TLS: client, Retry: retry}}
	s.upstreams[0].TLS = true
	return s, server
}

func either() []string { return []string{"h2", "http/1.1"} }

// An upstream that requires HTTP/1.1 for a request gets it so, and the next requests too,
// for some time (traefik/traefik#6608, dotnet/yarp#1739).
func TestAutoHTTP11Required(t *testing.T) {
	t.Parallel()
	f := func(name string, attempts int, refuse func(c *framed, stream uint32)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, server := autoSetup(t, retries(attempts))
			bubble(t, s, func(w *world) {
				var asked atomic.Int32 // by HTTP/2
				w.autoUpstream(server, either, func(c *framed) {
					for stream := c.request(); stream != 0; stream = c.request() {
						asked.Add(1)
						refuse(c, stream)
					}
				}, func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					fmt.Fprint(w, r.Proto, " ", string(body))
				})
				for range 3 {
					got := w.send("POST", "/", strings.NewReader("order"))
					check(t, "answer", fmt.Sprint(got.status, " ", got.body), "200 HTTP/1.1 order")
				}
				check(t, "asked by HTTP/2", asked.Load(), 1)
				time.Sleep(time.Hour)
				check(t, "an hour later", w.send("POST", "/", strings.NewReader("order")).status, 200)
				check(t, "asked by HTTP/2 again", asked.Load(), 2)
			})
		})
	}
	reset := func(c *framed, stream uint32) { c.WriteRSTStream(stream, http2.ErrCodeHTTP11Required) }
	f("reset", 3, reset)
	f("reset, and no retries", 1, reset)
	f("goaway", 3, func(c *framed, stream uint32) { c.WriteGoAway(0, http2.ErrCodeHTTP11Required, nil) })
}

// A request for which the upstream requires HTTP/1.1 does not cut others off from gRPC,
// which needs HTTP/2.
func TestAutoHTTP11RequiredSparesGRPC(t *testing.T) {
	t.Parallel()
	s, server := autoSetup(t, retries(3))
	bubble(t, http2Setup(s), func(w *world) {
		w.useHTTP2()
		first := true
		w.autoUpstream(server, either, func(c *framed) {
			for stream := c.request(); stream != 0; stream = c.request() {
				if first {
					first = false
					c.WriteRSTStream(stream, http2.ErrCodeHTTP11Required)
					continue
				}
				c.header(stream, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "0")
			}
		}, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
		check(t, "by HTTP/1.1", w.get().body, "HTTP/1.1")
		got, _ := w.call()
		check(t, "a call", got, "200 application/grpc 0")
		check(t, "others still by HTTP/1.1", w.get().body, "HTTP/1.1")
	})
}

// Upgrade requests use HTTP/1.1, whatever protocol the upstream prefers now.
func TestAutoUpgradeOffersOnlyHTTP1(t *testing.T) {
	t.Parallel()
	s, server := autoSetup(t, proxy.Retry{})
	bubble(t, s, func(w *world) {
		var h2 atomic.Bool
		offers := func() []string {
			if h2.Load() {
				return either()
			}
			return []string{"http/1.1"}
		}
		w.autoUpstream(server, offers, (*framed).answer, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "" {
				w.Header().Set("Connection", "close")
				return
			}
			c, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
			buf.Flush()
		})
		upgrade := func() int {
			r := w.request("GET", "/", nil)
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			res, err := w.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			return res.StatusCode
		}
		check(t, "first by HTTP/1.1", w.get().status, 200)
		check(t, "upgrade", upgrade(), 101)
		h2.Store(true)
		check(t, "upgrade of an upstream that speaks HTTP/2 as well", upgrade(), 101)
		check(t, "then by HTTP/2", w.get().status, 204)
		check(t, "upgrade beside HTTP/2", upgrade(), 101)
		h2.Store(false)
		check(t, "upgrade when it has given HTTP/2 up", upgrade(), 101)
	})
}
