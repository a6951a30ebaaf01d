package health

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

const long = 10 * time.Second // a limit that no test should reach

func newHTTP(t testing.TB, o HTTPOptions) Prober {
	t.Helper()
	p, err := NewHTTP(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func handle(t testing.TB, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// raw answers every connection's first read with text and closes.
func raw(t testing.TB, text string) string {
	return listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		c.Read(make([]byte, 4096))
		io.WriteString(c, text)
		c.Close()
	})
}

func TestHTTPRequest(t *testing.T) {
	t.Parallel()
	f := func(o HTTPOptions, want string) {
		t.Helper()
		var got string
		addr := handle(t, func(w http.ResponseWriter, r *http.Request) {
			host := r.Host
			if host == r.Context().Value(http.LocalAddrContextKey).(net.Addr).String() {
				host = "ADDR"
			}
			got = fmt.Sprint(r.Method, " ", r.RequestURI, " ", host, " ", r.UserAgent(), " ", r.Header.Get("X-Key"), " ", r.Close)
		})
		wantResult(t, probe(t, newHTTP(t, o), addr, long), balancer.Passed, "")
		if got != want {
			t.Errorf("got request %q, want %q", got, want)
		}
	}
	f(HTTPOptions{}, "GET / ADDR goodgate-health  true")
	f(HTTPOptions{Method: "HEAD", Path: "/healthz?full=1"}, "HEAD /healthz?full=1 ADDR goodgate-health  true")
	f(HTTPOptions{Method: "POST", Host: "app.example"}, "POST / app.example goodgate-health  true")
	f(HTTPOptions{Header: http.Header{"X-Key": {"k"}, "User-Agent": {"mine"}}}, "GET / ADDR mine k true")
}

func TestHTTPStatus(t *testing.T) {
	t.Parallel()
	f := func(status int, ranges []StatusRange, want balancer.Probe) {
		t.Helper()
		var asked atomic.Int32
		addr := handle(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(status)
		})
		p := newHTTP(t, HTTPOptions{Statuses: ranges, Retries: 3})
		wantResult(t, probe(t, p, addr, long), want, fmt.Sprintf("status %d", status))
		if got := asked.Load(); got != 1 {
			t.Errorf("status %d: got %d requests, want 1: an answer is neither followed nor retried", status, got)
		}
	}
	f(200, nil, balancer.Passed)
	f(302, nil, balancer.Passed)
	f(302, []StatusRange{{200, 299}}, balancer.Wrong)
	f(404, nil, balancer.Wrong)
	f(503, nil, balancer.Wrong)
	f(429, []StatusRange{{200, 299}, {429, 429}}, balancer.Passed)
}

func TestHTTPBody(t *testing.T) {
	t.Parallel()
	f := func(chunks []string, want string, limit int64, result balancer.Probe) {
		t.Helper()
		addr := handle(t, func(w http.ResponseWriter, r *http.Request) {
			for _, c := range chunks {
				io.WriteString(w, c)
				http.NewResponseController(w).Flush()
			}
		})
		wantResult(t, probe(t, newHTTP(t, HTTPOptions{Body: want, MaxBody: limit}), addr, long), result, "max_body")
	}
	f([]string{"all is ok"}, "ok", 0, balancer.Passed)
	f([]string{"all is o", "k"}, "ok", 0, balancer.Passed)
	f([]string{"r", "e", "a", "d", "y"}, "ready", 0, balancer.Passed)
	f([]string{"not well"}, "ok", 0, balancer.Wrong)
	f([]string{strings.Repeat("x", 99), "ok"}, "ok", 101, balancer.Passed)
	f([]string{strings.Repeat("x", 99), "ok"}, "ok", 100, balancer.Wrong)
	f([]string{strings.Repeat("x", 10_000), "ok"}, "ok", 0, balancer.Passed)
	f(nil, "ok", 0, balancer.Wrong)
}

func TestHTTPEndlessBodyPasses(t *testing.T) {
	t.Parallel()
	addr := handle(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "ready")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	wantResult(t, probe(t, newHTTP(t, HTTPOptions{Body: "ready"}), addr, long), balancer.Passed, "")
	wantResult(t, probe(t, newHTTP(t, HTTPOptions{}), addr, long), balancer.Passed, "")
	wantResult(t, probe(t, newHTTP(t, HTTPOptions{Body: "absent"}), addr, 50*time.Millisecond), balancer.Silent, "test limit")
}

func TestHTTPUnusualAnswers(t *testing.T) {
	t.Parallel()
	f := func(answer string, want balancer.Probe, text string) {
		t.Helper()
		wantResult(t, probe(t, newHTTP(t, HTTPOptions{}), raw(t, answer), long), want, text)
	}
	f("HTTP/1.1 200 OK\r\n\r\n", balancer.Passed, "")
	f("HTTP/1.0 200 OK\r\n\r\nhello", balancer.Passed, "")
	f("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", balancer.Passed, "")
	f("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", balancer.Passed, "") // the body was not requested
	f("HTTP/1.1 101 Switching Protocols\r\n\r\n", balancer.Wrong, "status 101")
	f("SSH-2.0-OpenSSH_9.9\r\n", balancer.Wrong, "malformed")
	f("HTTP/1.1 two hundred\r\n\r\n", balancer.Wrong, "malformed")
	f("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*maxHeader), balancer.Wrong, "longer than 65536 bytes")
	f(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 5000), balancer.Wrong, "longer than 65536 bytes")
	f("", balancer.Silent, "reading the response")
	f("HTTP/1.1 200 OK\r\nX-Cut: a\r\n", balancer.Silent, "reading the response")
}

func TestHTTPConnection(t *testing.T) {
	t.Parallel()
	p := newHTTP(t, HTTPOptions{})
	wantResult(t, probe(t, p, refused(t), long), balancer.Refused, "refused")
	wantResult(t, probe(t, p, "unix:"+filepath.Join(t.TempDir(), "none"), long), balancer.Refused, "no such file")
	wantResult(t, probe(t, p, hangup(t), long), balancer.Silent, "reading the response")
	wantResult(t, probe(t, p, silent(t), 50*time.Millisecond), balancer.Silent, "test limit of 50ms")
	reset := listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	})
	wantResult(t, probe(t, p, reset, long), balancer.Silent, "")
}

func TestHTTPUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	host := make(chan string, 1)
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { host <- r.Host })}}
	s.Start()
	defer s.Close()
	wantResult(t, probe(t, newHTTP(t, HTTPOptions{}), "unix:"+path, long), balancer.Passed, "")
	if got := <-host; got != "localhost" {
		t.Errorf("got host %q, want localhost", got)
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	addr := s.Listener.Addr().String()
	f := func(c *tls.Config, spec balancer.Spec, want balancer.Probe, text string) {
		t.Helper()
		spec.Addr = addr
		p := newHTTP(t, HTTPOptions{TLS: c, Host: "other.test", Body: "HTTP/1.1", Retries: 3})
		wantResult(t, probeSpec(t, p, spec, long), want, text)
	}
	trusted := clientTLS(s)
	f(trusted, balancer.Spec{TLS: true}, balancer.Passed, "")
	f(trusted, balancer.Spec{TLS: true, Name: "app.example.com"}, balancer.Passed, "")
	f(trusted, balancer.Spec{TLS: true, Name: "other.test"}, balancer.Silent, "other.test")
	f(&tls.Config{InsecureSkipVerify: true}, balancer.Spec{TLS: true}, balancer.Passed, "")
	f(nil, balancer.Spec{TLS: true}, balancer.Silent, "tls handshake")
	f(&tls.Config{RootCAs: trusted.RootCAs, ServerName: "other.test"}, balancer.Spec{TLS: true}, balancer.Silent, "other.test")
	f(trusted, balancer.Spec{}, balancer.Wrong, "status 400") // plain HTTP to a TLS port

	p := newHTTP(t, HTTPOptions{TLS: trusted})
	plain := handle(t, func(http.ResponseWriter, *http.Request) {})
	wantResult(t, probeTLS(t, p, plain, long), balancer.Silent, "tls handshake")
	wantResult(t, probeTLS(t, p, silent(t), 50*time.Millisecond), balancer.Silent, "test limit")
}

// Over HTTP/2 a probe uses TLS, if the upstream agrees, or no TLS.
func TestHTTPOverHTTP2(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto, r.Host) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	o := HTTPOptions{HTTP2: true, Host: "other.test", Body: "HTTP/2.0other.test", TLS: clientTLS(s)}
	wantResult(t, probeTLS(t, newHTTP(t, o), s.Listener.Addr().String(), long), balancer.Passed, "")

	plain := httptest.NewUnstartedServer(s.Config.Handler)
	plain.Config.Protocols = new(http.Protocols)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	defer plain.Close()
	p := newHTTP(t, o)
	wantResult(t, probe(t, p, plain.Listener.Addr().String(), long), balancer.Passed, "")
	wantResult(t, probe(t, p, handle(t, func(http.ResponseWriter, *http.Request) {}), long), balancer.Wrong, "HTTP/2")
	wantResult(t, probe(t, p, silent(t), 50*time.Millisecond), balancer.Silent, "test limit")
	o.Body = "HTTP/1.1"
	wantResult(t, probe(t, newHTTP(t, o), plain.Listener.Addr().String(), long), balancer.Wrong, "does not contain")
}

// An upstream that widens a stream's window too far blocks net/http's client. A probe
// must not wait for that: its worker would be lost for ever.
func TestHTTP2WindowTooWide(t *testing.T) {
	t.Parallel()
	addr := listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		defer c.Close()
		io.ReadFull(c, make([]byte, 24)) // the preface
		const widen = "\x00\x00\x04\x08\x00\x00\x00\x00\x01\x7f\xff\xff\xff"
		for {
			header := make([]byte, 9)
			if _, err := io.ReadFull(c, header); err != nil {
				return
			}
			io.CopyN(io.Discard, c, int64(header[0])<<16|int64(header[1])<<8|int64(header[2]))
			switch header[3] {
			case 1: // HEADERS
				io.WriteString(c, widen+widen)
			case 4: // SETTINGS
				io.WriteString(c, "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
			}
		}
	})
	wantResult(t, probe(t, newHTTP(t, HTTPOptions{HTTP2: true}), addr, long), balancer.Wrong, "window")
}

func TestHTTPRetriesBrokenConnections(t *testing.T) {
	t.Parallel()
	f := func(broken int32, retries int, want balancer.Probe, connections int32) {
		t.Helper()
		var n atomic.Int32
		addr := listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
			defer c.Close()
			i := n.Add(1)
			c.Read(make([]byte, 4096))
			if i > broken {
				io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			}
		})
		wantResult(t, probe(t, newHTTP(t, HTTPOptions{Retries: retries}), addr, long), want, "reading the response")
		if got := n.Load(); got != connections {
			t.Errorf("%d broken, %d retries: got %d connections, want %d", broken, retries, got, connections)
		}
	}
	f(0, 2, balancer.Passed, 1)
	f(2, 2, balancer.Passed, 3)
	f(3, 2, balancer.Silent, 3)
	f(1, 0, balancer.Silent, 1)
}

// Without a check, the pause before a retry could run into the timeout, and hide that the
// connection was refused.
func TestHTTPRetryKeepsTheFinding(t *testing.T) {
	t.Parallel()
	p := newHTTP(t, HTTPOptions{Retries: 1000})
	wantResult(t, probe(t, p, refused(t), time.Second), balancer.Refused, "refused")
}

func TestNewHTTPErrors(t *testing.T) {
	t.Parallel()
	f := func(o HTTPOptions, want string) {
		t.Helper()
		if _, err := NewHTTP(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	f(HTTPOptions{Path: "health"}, `path "health" does not begin with a slash`)
	f(HTTPOptions{Path: "/%zz"}, `path "/%zz"`)
	f(HTTPOptions{Method: "HEAD", Body: "ok"}, "HEAD has none")
	f(HTTPOptions{Statuses: []StatusRange{{300, 200}}}, "status 300-200")
	f(HTTPOptions{Header: http.Header{"Host": {"a"}}}, "option Host")
}

func FuzzReadResponse(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	f.Add("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
	p := newHTTP(f, HTTPOptions{Body: "ok"}).(*httpProber)
	f.Fuzz(func(t *testing.T, answer string) {
		w := newWire().(*wire)
		w.begin(strings.NewReader(answer))
		resp, err := w.readResponse(&p.proto)
		if err != nil {
			return
		}
		if resp.StatusCode < 200 && resp.StatusCode != 101 {
			t.Errorf("got status %d as final", resp.StatusCode)
		}
		p.opts.findBody(t.Context(), resp.Body)
	})
}

// An answer that says that the upstream drains is neither a pass nor a failure.
func TestHTTPDrain(t *testing.T) {
	t.Parallel()
	status := http.StatusServiceUnavailable
	addr := handle(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
	p := newHTTP(t, HTTPOptions{Drain: []StatusRange{{503, 503}, {299, 299}}})
	wantResult(t, probe(t, p, addr, long), balancer.Drains, "status 503 says that it drains (drain_status)")
	status = 299
	wantResult(t, probe(t, p, addr, long), balancer.Drains, "status 299")
	status = 500
	wantResult(t, probe(t, p, addr, long), balancer.Wrong, "status 500")
	status = 200
	wantResult(t, probe(t, p, addr, long), balancer.Passed, "")
	if _, err := NewHTTP(HTTPOptions{Drain: []StatusRange{{503, 502}}}); err == nil {
		t.Error("an empty range: got no error")
	}
}
