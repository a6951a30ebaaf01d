package gate

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/internal/situation"
)

// unchecked leaves it to requests to find out.
const unchecked = `policy: round_robin, health: {type: none}, breaker: {enabled: false}, outlier: {enabled: false}`

// faultScenes have one of two upstreams fail requests in some way.
func faultScenes() []scene {
	answer := func(text string) func(net.Conn, int) {
		return func(c net.Conn, _ int) { fmt.Fprint(c, text); c.Close() }
	}
	withFault := func(fault func(s *stage) string, keys string) func(*stage) {
		return func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q], `+unchecked+keys+`}}`, s.fine(), fault(s))
			s.get(8)
		}
	}
	raw := func(text string) func(*stage) string {
		return func(s *stage) string { return s.raw(answer(text)) }
	}
	return []scene{
		{"closes each without an answer", word{"warning", situation.ClosesAll, false, "The upstream closes every connection without an answer", "has answered no request", "the scheme (http or https)"}, withFault(raw(""), "")},
		{"closes some without an answer", word{"warning", situation.ClosedEarly, false, "The upstream closes connections without an answer", "attempts in the last minute failed ", "out-of-memory"}, withFault(func(s *stage) string {
			var n atomic.Int64
			return s.serve(func(http.ResponseWriter, *http.Request) {
				if n.Add(1)%2 == 0 {
					panic(http.ErrAbortHandler)
				}
			})
		}, "")},
		{"closes idle connections as they are used", word{"warning", situation.KeepAliveRace, false, "The upstream closes idle connections just as goodgate reuses them", "its keep-alive timeout is shorter", "timeouts.keepalive"}, playKeepAliveRace},
		{"does not answer in time", word{"warning", situation.ResponseTimeout, false, "The upstream does not answer in time", "timeouts.response_header", "waits for"}, withFault(slowBy(9*time.Second), `, timeouts: {response_header: 300ms}, retry: {hedge: {after: "off"}}`)},
		{"is not HTTP", word{"warning", situation.NotHTTP, false, "The upstream's answers are not HTTP", "another program listens on the port", "Check the port"}, withFault(raw("SSH-2.0-OpenSSH_9.2\r\n"), "")},
		{"sends too large a header", word{"warning", situation.HeaderTooLarge, false, "The upstream's response headers are too large", "exceeded the limit", "cookies"}, withFault(raw("HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", 2<<20)+"\r\n\r\n"), "")},
		{"breaks off", word{"warning", situation.Truncated, false, "The upstream's responses break off", "in the middle of a response", "out-of-memory"}, withFault(raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), "")},
		{"breaks off in front of clients", word{"error", situation.Truncated, false, "The upstream's responses break off", "Clients saw 2 errors from it.", "out-of-memory"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], commit: {buffer: 0B, resume: false}, `+unchecked+`}}`, s.raw(answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")))
			s.get(2)
		}},
		{"stops in the middle", word{"error", situation.Stalled, false, "The upstream's responses stop in the middle", "timeouts.idle", "waits for"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q], commit: {buffer: 0B, resume: false}, timeouts: {idle: 100ms}, `+unchecked+`}}`, s.serve(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "10")
				w.Write([]byte("half"))
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			}))
			s.get(2)
		}},
		{"answers 502 to a POST", word{"error", situation.AnswersError, false, "The upstream answers 502 itself", "Clients saw ", "application's log"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q], `+unchecked+`}}`, s.fine(), s.failing(502))
			s.send("POST", "/502", 2)
		}},
		{"answers 500", word{"warning", situation.PassedOn, false, "The application answers some requests with 500", "all for /", "application's log"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q], `+unchecked+`}}`, s.fine(), s.failing(500))
			s.get(48)
		}},
		{"answers 503 to a GET", word{"warning", situation.AnswersError, false, "The upstream answers 503 itself", "No client saw an error from it.", "application's log"}, withFault(func(s *stage) string { return s.failing(503) }, "")},
		{"is not TLS", word{"warning", situation.NotTLS, false, "The upstream does not speak TLS", "most likely it speaks plain HTTP", "http:// instead of https://"}, withFault(func(s *stage) string { return strings.Replace(s.fine(), "http:", "https:", 1) }, "")},
		{"is not TLS, by its check", word{"warning", situation.NotTLS, false, "The upstream does not speak TLS", "The health check has failed since ", "http:// instead of https://"}, func(s *stage) {
			s.run(`pools: {app: {upstreams: [%q, %q], `+quick+`}}`, s.fine(), strings.Replace(s.fine(), "http:", "https:", 1))
		}},
		{"its certificate has expired", word{"warning", situation.CertExpired, false, "The upstream's certificate has expired", "is past its expiry date", "Renew"}, playCertificate(func(a *certtest.Authority) tls.Certificate {
			return a.IssueUntil(time.Now().Add(-time.Hour), "127.0.0.1")
		}, true, unchecked)},
		{"its certificate has expired, by its check", word{"warning", situation.CertExpired, false, "The upstream's certificate has expired", "The health check has failed since ", "Renew"}, playCertificate(func(a *certtest.Authority) tls.Certificate {
			return a.IssueUntil(time.Now().Add(-time.Hour), "127.0.0.1")
		}, true, quick)},
		{"its certificate is for another name", word{"warning", situation.CertName, false, "The upstream's certificate is for another name", "does not list the name", "tls.server_name"}, playCertificate(func(a *certtest.Authority) tls.Certificate { return a.Issue("other.example") }, true, unchecked)},
		{"its certificate is from an unknown authority", word{"warning", situation.CertUnknownCA, false, "The upstream's certificate is from an unknown authority", "No authority that goodgate trusts", "tls.ca"}, playCertificate(func(a *certtest.Authority) tls.Certificate { return a.Issue("127.0.0.1") }, false, unchecked)},
		{"blames only the failing upstream", word{"error", situation.AnswersError, false, "The upstream answers 502 itself", "Clients saw ", "application's log"}, playBlame},
		{"its breaker is open", word{"warning", situation.AnswersError, false, "The upstream answers 503 itself", "Its circuit breaker has been open since ", "application's log"}, func(s *stage) {
			s.run(`pools: {app: {policy: round_robin, upstreams: [%q, %q], health: {type: none}, retry: {budget: 100%%, budget_min: 100}, breaker: {consecutive: 3}}}`, s.fine(), s.failing(503))
			s.get(12)
			s.available(1)
		}},
	}
}

func slowBy(d time.Duration) func(s *stage) string {
	return func(s *stage) string {
		return s.serve(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(d):
			case <-r.Context().Done():
			}
		})
	}
}

// playCertificate has one of two upstreams with a faulty certificate.
func playCertificate(issue func(*certtest.Authority) tls.Certificate, trusted bool, keys string) func(*stage) {
	return func(s *stage) {
		authority := certtest.NewAuthority(s.t, "test")
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.TLS = &tls.Config{Certificates: []tls.Certificate{issue(authority)}}
		server.Config.ErrorLog = discardLog()
		server.StartTLS()
		s.t.Cleanup(server.Close)
		trust := ""
		if trusted {
			trust = fmt.Sprintf(", tls: {ca: %q}", authority.File(s.t.TempDir()))
		}
		s.run(`pools: {app: {upstreams: [%q, %q], `+keys+trust+`}}`, s.fine(), server.URL)
		s.get(8)
	}
}

// playKeepAliveRace has an upstream close a connection at its second request, after a
// pause.
func playKeepAliveRace(s *stage) {
	races := s.raw(func(c net.Conn, n int) {
		if n > 0 {
			c.Close()
			return
		}
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	s.run(`pools: {app: {upstreams: [%q], `+unchecked+`}}`, races)
	s.get(1)
	<-time.After(700 * time.Millisecond)
	s.get(1)
}

// playBlame has one upstream restart, which is hidden, while another one answers 502 to
// POSTs. An earlier version blamed both for the clients' errors.
func playBlame(s *stage) {
	s.run(`pools: {app: {upstreams: [%q, %q, %q], `+unchecked+`}}`, s.fine(), s.dead(), s.failing(502))
	s.get(9)
	s.send("POST", "/502", 6)
	all := s.status()
	for _, t := range all.Troubles {
		refused := t.Situation == string(situation.Refused)
		if refused && (t.Level != "warning" || !strings.Contains(t.Text, "No client saw an error from it.")) {
			s.t.Errorf("blamed for another's errors: %+v", t)
		}
	}
	p := all.Pools[0]
	sum := 0
	for _, u := range p.Upstreams {
		sum += u.Minute.Escaped
	}
	if uint64(sum) != p.Minute.Escaped || p.Minute.Escaped == 0 {
		s.t.Errorf("%d errors of upstreams, %d of the pool", sum, p.Minute.Escaped)
	}
}

// addresses4 answers with IPv4 addresses.
func addresses4(list ...[4]byte) func(dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.ResourceBody) {
	return func(q dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.ResourceBody) {
		if q.Type != dnsmessage.TypeA {
			return dnsmessage.RCodeSuccess, nil
		}
		var all []dnsmessage.ResourceBody
		for _, a := range list {
			all = append(all, &dnsmessage.AResource{A: a})
		}
		return dnsmessage.RCodeSuccess, all
	}
}
