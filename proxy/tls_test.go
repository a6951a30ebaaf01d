package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

func TestTLSUpstream(t *testing.T) {
	t.Parallel()
	server, client := testTLS(t)
	for addr, name := range map[string]string{"example.com:443": "", "[::1]:443": "", "unix:/app.sock": "example.com"} {
		s := setup{upstreams: specs(addr)}
		s.upstreams[0].TLS = true
		s.pool.TLS = client.Clone()
		s.pool.TLS.ServerName = name
		bubble(t, s, func(w *world) {
			hello := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }
			w.listen(addr, http.HandlerFunc(hello), func(srv *http.Server) { srv.TLSConfig = server.Clone() })
			check(t, "answer over "+addr, w.get().body, "example.com")
		})
	}
}

// TLS sends close_notify before it closes an idle connection. That is no part of an
// answer, so the request is still retried.
func TestTLSIdleRace(t *testing.T) {
	t.Parallel()
	server, client := testTLS(t)
	s := setup{upstreams: append(specs("app:443"), balancer.Spec{Addr: "standby:80", Tier: 1})}
	s.upstreams[0].TLS = true
	s.pool.TLS = client
	s.pool.Retry = retries(3)
	s.balancer.MaxEjected = 1
	s.balancer.Breaker = balancer.BreakerOptions{Enabled: true, Consecutive: 1}
	bubble(t, s, func(w *world) {
		w.script("app:443", func(c *wire) {
			tc := tls.Server(c.Conn, server)
			defer tc.Close()
			r := bufio.NewReader(tc)
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			io.WriteString(tc, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			http.ReadRequest(r)
		})
		check(t, "status", w.get().status, 200)
		check(t, "status of a PUT that can be sent again", w.send("PUT", "/", nil).status, 200)
		check(t, "attempts", decisions(w.record()), "app:443:closed_before_response:retried app:443:200:answered")
		check(t, "status of a POST", w.send("POST", "/", nil).status, 502)
		check(t, "breaker", w.pool.Members()[0].Breaker(), balancer.Closed)
	})
}

// Every new connection except the first resumes an earlier session, over HTTP/1.1 and
// HTTP/2, until the TLS settings change.
func TestTLSResumption(t *testing.T) {
	t.Parallel()
	server, client := testTLS(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, protocol := range []proxy.Protocol{proxy.HTTP1, proxy.HTTP2} {
			s := setup{upstreams: specs("app:443")}
			s.upstreams[0].TLS = true
			s.pool.TLS = client
			s.pool.Protocol = protocol
			s.pool.MaxIdleConns = 1
			bubble(t, s, func(w *world) {
				var resumed []bool
				w.listen("app:443", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					resumed = append(resumed, r.TLS.DidResume)
					rw.Header().Set("Connection", "close")
				}), func(srv *http.Server) {
					srv.TLSConfig = server.Clone()
					srv.TLSConfig.MaxVersion = version
					srv.TLSConfig.NextProtos = []string{"h2", "http/1.1"}
				})
				for range 3 {
					check(t, "status", w.get().status, 200)
					synctest.Wait()
				}
				check(t, fmt.Sprintf("resumed over %s", tls.VersionName(version)), fmt.Sprint(resumed), "[false true true]")
			})
		}
	}
}

// TLS follows the pool's settings with the PROXY protocol, too.
func TestTLSBehindProxyProtocol(t *testing.T) {
	t.Parallel()
	server, client := testTLS(t)
	s := setup{upstreams: specs("app:443")}
	s.upstreams[0].TLS = true
	s.pool.TLS = client
	s.pool.ProxyProtocol = 1
	bubble(t, s, func(w *world) {
		w.script("app:443", func(c *wire) {
			line := make([]byte, 0, 108)
			for one := make([]byte, 1); !bytes.HasSuffix(line, []byte("\r\n")); line = append(line, one...) {
				if _, err := c.Read(one); err != nil {
					return
				}
			}
			tc := tls.Server(c.Conn, server)
			defer tc.Close()
			if _, err := http.ReadRequest(bufio.NewReader(tc)); err == nil {
				fmt.Fprintf(tc, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(line[:5]), line[:5])
			}
		})
		check(t, "body", w.get().body, "PROXY")
	})
}
