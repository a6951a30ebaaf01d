package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/reason"

	"golang.org/x/net/http2"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

var discardLog = log.New(io.Discard, "", 0)

// errorTypes are the types that RFC 9209, section 2.3, registers.
var errorTypes = strings.Fields(`dns_timeout dns_error destination_not_found destination_unavailable
	destination_ip_prohibited destination_ip_unroutable connection_refused connection_terminated
	connection_timeout connection_read_timeout connection_write_timeout connection_limit_reached
	tls_protocol_error tls_certificate_error tls_alert_received http_request_error http_request_denied
	http_response_incomplete http_response_header_section_size http_response_header_size
	http_response_body_size http_response_trailer_section_size http_response_trailer_size
	http_response_transfer_coding http_response_content_coding http_response_timeout
	http_upgrade_failed http_protocol_error proxy_internal_response proxy_internal_error
	proxy_configuration_error proxy_loop_detected`)

func TestEveryReasonHasARow(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, r := range reason.All() {
		name := r.String()
		if !word.MatchString(name) || seen[name] {
			t.Errorf("reason %d: name %q is not snake case, or not its own", r, name)
		}
		seen[name] = true
		if r.Fault() == reason.FaultNone {
			t.Errorf("%s: nobody's fault", name)
		}
		if s := r.ProxyStatus(); s != "" && !slices.Contains(errorTypes, s) {
			t.Errorf("%s: %q is no error type of RFC 9209", name, s)
		}
		if r == reason.UpstreamStatus {
			check(t, name+" status", r.Status(), 0)
			continue
		}
		if s := r.Status(); (s < 400 || s > 504) && s != http.StatusLoopDetected {
			t.Errorf("%s: status %d", name, s)
		}
		if r.ProxyStatus() == "" && r != reason.ClientGone {
			t.Errorf("%s: no RFC 9209 error type", name)
		}
		if text := r.Text(); !strings.HasSuffix(text, ".") || strings.Contains(text, "_") {
			t.Errorf("%s: text %q is not a sentence", name, text)
		}
	}
	check(t, "None's fault", reason.None.Fault(), reason.FaultNone)
	check(t, "None is a gateway error", reason.None.GatewayError(), false)
}

// reached is a scenario that leads to one reason. Each gets a pool with the upstream
// app:80 and a standby that receives nothing, so that the breaker of the first may open.
// It opens at the first failure that counts against the upstream.
type reached struct {
	name   string // added to the reason if it has several scenarios
	reason reason.Reason
	status int // 0 = the connection is cut
	blamed bool

	change func(*setup)
	app    func(w *world)
	ask    func(w *world) answer // nil = GET /
}

func scripted(f func(c *wire)) func(w *world) {
	return func(w *world) { w.script("app:80", f) }
}

func handled(f http.HandlerFunc) func(w *world) {
	return func(w *world) { w.app("app:80", f) }
}

func dialFails(err error) func(*setup) {
	return func(s *setup) {
		s.pool.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
}

// waitsForClose keeps a connection open until the other side closes it.
func waitsForClose(c *wire) { io.Copy(io.Discard, c.r) }

// testTLS returns a server's configuration with a certificate for example.com, and a
// client's that trusts it.
func testTLS(tb testing.TB) (server, client *tls.Config) {
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	tr := srv.Client().Transport.(*http.Transport)
	client = &tls.Config{RootCAs: tr.TLSClientConfig.RootCAs, ServerName: "example.com"}
	return &tls.Config{Certificates: srv.TLS.Certificates}, client
}

var scenarios = []reached{
	{reason: reason.None, status: 200, app: handled(func(w http.ResponseWriter, r *http.Request) {})},
	{reason: reason.NoRoute, status: 404, change: func(s *setup) { s.route.Match.Hosts = []string{"other.example"} }},
	{reason: reason.FaultInjected, status: 418, change: func(s *setup) { s.route.Faults = []proxy.Fault{{Share: 1, Abort: 418}} }},
	{reason: reason.NoUpstream, status: 503, change: func(s *setup) { s.upstreams = nil }},
	{reason: reason.NoUpstream, name: "all out", status: 503, ask: func(w *world) answer {
		for _, m := range w.pool.Members() {
			m.SetOperator(balancer.Drain)
		}
		return w.get()
	}},
	{reason: reason.HoldExpired, status: 503, change: func(s *setup) {
		s.upstreams = nil
		s.pool.Hold = proxy.Hold{For: time.Second, MaxRequests: 1}
	}},
	{reason: reason.HoldExpired, name: "refused all the time", status: 503, change: func(s *setup) {
		s.upstreams = s.upstreams[:1]
		s.pool.Retry = retries(3)
		s.pool.Hold = proxy.Hold{For: time.Second, MaxRequests: 1}
	}},
	{reason: reason.HoldExpired, name: "deadline while waiting", status: 503, change: func(s *setup) {
		s.upstreams = nil
		s.route.Timeout = 500 * time.Millisecond
		s.pool.Hold = proxy.Hold{For: time.Second, MaxRequests: 1}
	}},
	{reason: reason.Overloaded, status: 503, change: func(s *setup) {
		s.upstreams = nil
		s.pool.Hold = proxy.Hold{For: time.Second}
	}},
	{reason: reason.Overloaded, name: "all busy", status: 503, change: func(s *setup) {
		s.upstreams = s.upstreams[:1]
		s.upstreams[0].MaxInFlight = 1
	}, ask: func(w *world) answer {
		lease, _ := w.pool.Members()[0].TryAcquire()
		defer lease.Release()
		return w.get()
	}},
	{reason: reason.DNSError, status: 502, blamed: true, change: dialFails(&net.DNSError{Err: "no such host", Name: "app", IsNotFound: true})},
	{reason: reason.DNSTimeout, status: 504, blamed: true, change: dialFails(&net.DNSError{Err: "i/o timeout", Name: "app", IsTimeout: true})},
	{reason: reason.DNSTimeout, name: "by discovery", status: 504, change: func(s *setup) { s.upstreams = nil }, ask: func(w *world) answer {
		w.pool.SetMissing(reason.DNSTimeout)
		return w.get()
	}},
	{reason: reason.ConnectRefused, status: 502, blamed: true},
	{reason: reason.ConnectRefused, name: "no socket file", status: 502, blamed: true,
		change: dialFails(&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ENOENT)})},
	{reason: reason.ConnectUnreachable, status: 502, blamed: true,
		change: dialFails(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)})},
	{reason: reason.ConnectTimeout, status: 504, blamed: true, change: func(s *setup) {
		s.pool.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
		}
	}},
	{reason: reason.ConnectTimeout, name: "of the kernel", status: 504, blamed: true,
		change: dialFails(fmt.Errorf("wrapped: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ETIMEDOUT)}))},
	{reason: reason.ConnectTimeout, name: "of the try", status: 504, blamed: true, change: func(s *setup) {
		s.pool.Retry.PerTry = 100 * time.Millisecond
		s.pool.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}},
	{reason: reason.TLSHandshake, status: 502, blamed: true, change: func(s *setup) { s.upstreams[0].TLS = true },
		app: scripted(func(c *wire) { c.say("HTTP/1.1 400 Bad Request\n\n") })},
	{reason: reason.TLSHandshake, name: "silent", status: 502, blamed: true, change: func(s *setup) { s.upstreams[0].TLS = true }, app: scripted(waitsForClose)},
	{reason: reason.TLSCertificate, status: 502, blamed: true, change: func(s *setup) { s.upstreams[0].TLS = true }, app: func(w *world) {
		server, _ := testTLS(w.tb)
		w.script("app:80", func(c *wire) { tls.Server(c.Conn, server).Handshake() })
	}},
	{reason: reason.ClosedBeforeResponse, status: 502, blamed: true, app: scripted(func(c *wire) { c.request() })},
	{reason: reason.ClosedBeforeResponse, name: "reset", status: 502, blamed: true, app: scripted(func(c *wire) {
		c.request()
		c.Reset()
	})},
	{reason: reason.ClosedBeforeResponse, name: "half a header", status: 502, blamed: true, app: scripted(func(c *wire) {
		c.request()
		c.say("HTTP/1.1 200 OK\nContent-")
	})},
	{reason: reason.ClosedBeforeResponse, name: "reused connection", status: 502, app: scripted(func(c *wire) {
		c.request()
		c.say("HTTP/1.1 200 OK\nContent-Length: 0\n\n")
		c.request()
	}), ask: func(w *world) answer {
		w.get()
		return w.send("POST", "/", nil)
	}},
	{reason: reason.StreamRefused, status: 503, change: func(s *setup) {
		s.pool.Protocol, s.upstreams = proxy.HTTP2, specs("app:80") // another upstream would get the request
	}, app: func(w *world) {
		w.frames("app:80", func(c *framed) {
			for stream := c.request(); stream != 0; stream = c.request() { // the request is retried
				c.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			}
		})
	}},
	{reason: reason.ResponseTimeout, name: "over HTTP/2", status: 504, blamed: true, change: func(s *setup) {
		s.pool.Protocol, s.pool.Timeouts.ResponseHeader = proxy.HTTP2, time.Second
	}, app: func(w *world) { w.frames("app:80", (*framed).wait) }},
	{reason: reason.ResponseTimeout, status: 504, blamed: true, change: func(s *setup) { s.pool.Timeouts.ResponseHeader = time.Second }, app: scripted(waitsForClose)},
	{reason: reason.ResponseTimeout, name: "of the try", status: 504, blamed: true, change: func(s *setup) { s.pool.Retry.PerTry = time.Second }, app: scripted(waitsForClose)},
	{reason: reason.ResponseTimeout, name: "of the request", status: 504, blamed: true, change: func(s *setup) { s.pool.Timeouts.Request = time.Second }, app: scripted(waitsForClose)},
	{reason: reason.ResponseTimeout, name: "of the route", status: 504, blamed: true, change: func(s *setup) { s.route.Timeout = time.Second }, app: scripted(waitsForClose)},
	{reason: reason.ResponseTimeout, name: "reads no body", status: 504, blamed: true, change: func(s *setup) { s.pool.Timeouts.Idle = time.Second },
		app: scripted(func(c *wire) {
			c.header()
			time.Sleep(time.Hour)
		}), ask: func(w *world) answer { return w.send("POST", "/", strings.NewReader(strings.Repeat("x", 10<<20))) }},
	{reason: reason.ResponseMalformed, status: 502, blamed: true, app: scripted(func(c *wire) {
		c.request()
		c.say("SSH-2.0-OpenSSH_9.6\n\n")
		waitsForClose(c)
	})},
	{reason: reason.ResponseMalformed, name: "and closed", status: 502, blamed: true, app: scripted(func(c *wire) {
		c.request()
		c.say("HTTP/1.1 200 OK\nno colon\n\n")
	})},
	{reason: reason.ResponseMalformed, name: "unasked upgrade", status: 502, blamed: true, app: scripted(func(c *wire) {
		c.request()
		c.say("HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: other\n\n")
		waitsForClose(c)
	})},
	{reason: reason.ResponseHeaderTooLarge, status: 502, blamed: true, change: func(s *setup) { s.pool.MaxResponseHeader = 1 << 10 },
		app: scripted(func(c *wire) {
			c.request()
			c.say("HTTP/1.1 200 OK\nX: " + strings.Repeat("x", 2<<10) + "\n\n")
			waitsForClose(c)
		})},
	{reason: reason.ResponseTruncated, blamed: true, app: scripted(func(c *wire) {
		c.request()
		c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf")
	})},
	{reason: reason.ResponseTruncated, name: "chunked", blamed: true, app: scripted(func(c *wire) {
		c.request()
		c.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\nhalf\n")
	})},
	{reason: reason.ResponseTruncated, name: "reset", blamed: true, app: scripted(func(c *wire) {
		c.request()
		c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf")
		time.Sleep(time.Second)
		c.Reset()
	})},
	{reason: reason.ResponseStalled, blamed: true, change: func(s *setup) { s.pool.Timeouts.Idle = time.Second }, app: scripted(func(c *wire) {
		c.request()
		c.say("HTTP/1.1 200 OK\nContent-Length: 10\n\nhalf")
		waitsForClose(c)
	})},
	{reason: reason.UpstreamStatus, name: "502", status: 502, blamed: true, app: handled(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })},
	{reason: reason.UpstreamStatus, name: "503", status: 503, blamed: true, app: handled(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })},
	{reason: reason.UpstreamStatus, name: "504", status: 504, blamed: true, app: handled(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(504) })},
	{reason: reason.None, name: "500", status: 500, app: handled(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })},
	{reason: reason.ClientGone, app: scripted(waitsForClose), ask: leaves},
	{reason: reason.ClientGone, name: "while held", change: func(s *setup) {
		s.upstreams = nil
		s.pool.Hold = proxy.Hold{For: time.Minute, MaxRequests: 1}
	}, ask: leaves},
	{reason: reason.ClientGone, name: "in its body", app: scripted(waitsForClose), ask: func(w *world) answer {
		c := w.dial()
		c.say("POST / HTTP/1.1\nHost: example.com\nContent-Length: 10\n\nhalf")
		synctest.Wait()
		c.Close()
		return answer{err: io.EOF}
	}},
	{reason: reason.ClientGone, name: "in the answer", app: handled(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("half"))
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}), ask: leaves},
	{reason: reason.RequestMalformed, status: 400, app: scripted(waitsForClose), ask: func(w *world) answer {
		return w.raw("POST / HTTP/1.1\nHost: example.com\nTransfer-Encoding: chunked\n\nnonsense\n\n")
	}},
	{reason: reason.RequestMalformed, name: "connect", status: 405, ask: func(w *world) answer {
		return w.raw("CONNECT example.com:443 HTTP/1.1\nHost: example.com:443\n\n")
	}},
	{reason: reason.RequestMalformed, name: "upgrade", status: 400, ask: func(w *world) answer {
		return w.raw("GET / HTTP/1.1\nHost: example.com\nConnection: Upgrade\nUpgrade: \x80\n\n")
	}},
	{reason: reason.UpgradeUnsupported, status: 501, change: func(s *setup) { s.pool.Protocol = proxy.HTTP2 }, ask: func(w *world) answer {
		return w.raw("GET / HTTP/1.1\nHost: example.com\nConnection: Upgrade\nUpgrade: websocket\n\n")
	}},
	{reason: reason.LoopDetected, status: 508, app: handled(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Mark", r.Header.Get("Goodgate-Passed"))
	}), ask: func(w *world) answer {
		return w.raw("GET / HTTP/1.1\nHost: example.com\nGoodgate-Passed: other, " + w.get().header.Get("X-Mark") + "\n\n")
	}},
	{reason: reason.AccessDenied, status: 403, change: func(s *setup) {
		s.route.Access.Networks, _ = proxy.NewNetworks(nil, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")})
	}},
	{reason: reason.CrossOrigin, status: 403, change: func(s *setup) { s.route.CrossOrigin, _ = proxy.NewCrossOrigin() }, ask: func(w *world) answer {
		r := w.request("POST", "/", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		return w.do(r)
	}},
	{reason: reason.RequestTooLarge, status: 413, app: scripted(waitsForClose), change: func(s *setup) {
		s.server = func(srv *http.Server) { srv.Handler = http.MaxBytesHandler(srv.Handler, 10) }
	}, ask: func(w *world) answer { return w.send("POST", "/", strings.NewReader("more than ten bytes")) }},
	{reason: reason.Paused, status: 503, app: handled(ok), ask: func(w *world) answer {
		w.pool.Pause(balancer.Pause{Max: time.Second, WaitLimits: balancer.WaitLimits{Requests: 1}})
		return w.get()
	}},
	{reason: reason.Maintenance, status: 503, app: handled(ok), ask: func(w *world) answer {
		w.pool.SetMaintenance(&proxy.Maintenance{})
		return w.get()
	}},
	{reason: reason.RequestTimeout, status: 408, app: scripted(waitsForClose), change: func(s *setup) { s.proxy.Listener.BodyIdle = time.Second }, ask: func(w *world) answer {
		return w.raw("POST / HTTP/1.1\nHost: example.com\nContent-Length: 10\n\nhalf")
	}},
}

// leaves sends a request and leaves after a second.
func leaves(w *world) answer {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return w.do(w.request("GET", "/", nil).WithContext(ctx))
}

// raw sends text unchanged and reads the answer.
func (w *world) raw(text string) answer {
	c := w.dial()
	defer c.Close()
	c.say(text)
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	if res.Close {
		res.Header.Set("Connection", "close")
	}
	b, err := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: string(b), err: err}
}

// unreachable here: package proxy itself never fails a request so.
var elsewhere = []reason.Reason{reason.RateLimited, reason.Unauthorized, reason.AuthUnavailable, reason.ShuttingDown, reason.Internal}

func TestEveryReasonIsReached(t *testing.T) {
	missing := map[reason.Reason]bool{}
	for _, r := range reason.All() {
		missing[r] = !slices.Contains(elsewhere, r)
	}
	for _, sc := range scenarios {
		missing[sc.reason] = false
		t.Run(strings.TrimSpace(sc.reason.String()+" "+sc.name), func(t *testing.T) {
			t.Parallel()
			s := setup{
				balancer: balancer.Options{MaxEjected: 1, Breaker: balancer.BreakerOptions{Enabled: true, Consecutive: 1, OpenFor: time.Hour}},
				proxy:    proxy.Options{Details: true},
			}
			s.upstreams = []balancer.Spec{{Addr: "app:80"}, {Addr: "standby:80", Tier: 1}}
			if sc.change != nil {
				sc.change(&s)
			}
			bubble(t, s, func(w *world) { sc.run(w) })
		})
	}
	for r, yes := range missing {
		if yes {
			t.Errorf("%s: no scenario", r)
		}
	}
}

func (sc *reached) run(w *world) {
	if sc.app != nil {
		sc.app(w)
	}
	ask := sc.ask
	if ask == nil {
		ask = (*world).get
	}
	got := ask(w)
	rec := w.record()
	check(w.tb, "reason", rec.Reason, sc.reason)
	if sc.status == 0 {
		if got.err == nil {
			w.tb.Errorf("answer: got %d %q, want a cut", got.status, got.body)
		}
	} else {
		if got.err != nil {
			w.tb.Errorf("answer: got error %v", got.err)
		}
		check(w.tb, "status", got.status, sc.status)
		check(w.tb, "status in the record", rec.Status, sc.status)
		sc.checkHeader(w, got.header)
	}
	if n := len(rec.Attempts); n > 0 && sc.reason != reason.HoldExpired && rec.Attempts[n-1].Reason != sc.reason && sc.reason != reason.ResponseMalformed {
		w.tb.Errorf("reason of the attempt: got %s, want %s", rec.Attempts[n-1].Reason, sc.reason)
	}
	if members := w.pool.Members(); len(members) > 1 {
		check(w.tb, "blamed", members[0].Breaker() == balancer.Open, sc.blamed)
	}
	gateway := sc.reason != reason.Paused && sc.reason != reason.Maintenance && sc.status >= 502 && sc.status <= 504 || sc.status == 0 && sc.reason != reason.ClientGone
	check(w.tb, "escaped", rec.Escaped(), gateway)
}

// checkHeader compares the header of a failure as the client sees it.
func (sc *reached) checkHeader(w *world, h http.Header) {
	if sc.reason == reason.None {
		check(w.tb, "Proxy-Status", h.Get("Proxy-Status"), "")
		return
	}
	got := h.Get("Proxy-Status")
	if !strings.HasPrefix(got, "goodgate; ") || !strings.Contains(got, fmt.Sprintf("; details=%q", sc.reason)) {
		w.tb.Errorf("Proxy-Status: got %q, want it to name %s", got, sc.reason)
	}
	if want := sc.reason.ProxyStatus(); want != "" && !strings.Contains(got, "; error="+want) {
		w.tb.Errorf("Proxy-Status: got %q, want error=%s", got, want)
	}
	if sc.reason == reason.UpstreamStatus {
		if want := fmt.Sprintf("; received-status=%d", sc.status); !strings.Contains(got, want) {
			w.tb.Errorf("Proxy-Status: got %q, want %s", got, want)
		}
		return
	}
	retry := sc.status == 503
	check(w.tb, "Retry-After", h.Get("Retry-After") != "", retry)
	check(w.tb, "X-Request-Id", len(h.Get("X-Request-Id")), 32)
}
