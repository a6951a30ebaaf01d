package doctor_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/lab/dnstest"
)

var words = doctor.Words{
	Address: "address %s", HTTP: "http %s", HTTPS: "https %s", HTTP2: "http2 %s", Response: "response %s", Keepalive: "keepalive %s",
	MaxHeader: "header %s", ServerName: "name %s", CA: "ca %s", HealthPath: "health %s", Proto: "proto", Resolver: "resolver %s", OneFamily: "one family",
}

// serve runs a server until the test ends, and returns its address.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// answering accepts connections, reads a little, and calls answer.
func answering(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				bufio.NewReader(c).ReadString('\n')
				answer(c)
			}()
		}
	}()
	return ln.Addr().String()
}

func ok(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }

// patient allows for a busy machine. hasty is for tests in which no answer comes.
var (
	patient  = doctor.Options{MaxWait: time.Minute}
	hasty    = doctor.Options{MaxWait: 300 * time.Millisecond}
	watchful = doctor.Options{MaxWait: time.Minute, Wait: time.Minute}
)

// look examines a target, with patient options by default.
func look(t *testing.T, target doctor.Target, how ...doctor.Options) finding.Report {
	t.Helper()
	target.Words = words
	how = append(how, patient)
	r := doctor.Examine(t.Context(), []doctor.Target{target}, how[0])
	r.Rank()
	return r
}

// first checks that a target has exactly one finding.
func first(t *testing.T, target doctor.Target, code string, why reason.Reason, directive string, how ...doctor.Options) finding.Finding {
	t.Helper()
	r := look(t, target, how...)
	if len(r.Findings) == 0 {
		t.Fatalf("nothing found, want %s", code)
	}
	f := r.Findings[0]
	if f.Code != code || f.Reason != why || !strings.Contains(f.Directive, directive) {
		t.Errorf("found %s, reason %s, directive %q; want %s, %s, %q\n%+v", f.Code, f.Reason, f.Directive, code, why, directive, f)
	}
	if f.Seen == "" || f.Means == "" || f.Do == "" {
		t.Errorf("the finding is not complete: %+v", f)
	}
	return f
}

func healthy(t *testing.T, target doctor.Target) {
	t.Helper()
	if r := look(t, target); len(r.Findings) > 0 {
		t.Errorf("found %+v in a healthy upstream", r.Findings)
	}
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	healthy(t, doctor.Target{Addr: serve(t, ok), Dial: time.Minute, Response: time.Minute, MaxHeader: 4096, Keepalive: time.Second,
		Health: &doctor.Health{Path: "/", Passes: func(s int) bool { return s == 200 }, Timeout: time.Minute}})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	ln.Close()
	r := look(t, doctor.Target{Addr: address})
	if len(r.Findings) != 1 || r.Findings[0].Reason != reason.ConnectRefused {
		t.Errorf("found %+v", r.Findings)
	}
}

func TestOtherProtocols(t *testing.T) {
	t.Parallel()
	secure := httptest.NewTLSServer(http.HandlerFunc(ok))
	t.Cleanup(secure.Close)
	address := secure.Listener.Addr().String()
	first(t, doctor.Target{Addr: address}, "plain_to_tls_port", reason.ResponseMalformed, "https "+address)
	plain := serve(t, ok)
	first(t, doctor.Target{Addr: plain, TLS: &tls.Config{}}, "tls_to_plain_port", reason.TLSHandshake, "http "+plain)
	banner := answering(t, func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-OpenSSH\r\n") })
	first(t, doctor.Target{Addr: banner}, "not_http", reason.ResponseMalformed, "")
	silent := answering(t, func(net.Conn) {})
	first(t, doctor.Target{Addr: silent}, "closed_without_answer", reason.ClosedBeforeResponse, "")
	h2 := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	h2.Config.Protocols = new(http.Protocols)
	h2.Config.Protocols.SetUnencryptedHTTP2(true)
	h2.Start()
	t.Cleanup(h2.Close)
	address = h2.Listener.Addr().String()
	first(t, doctor.Target{Addr: address}, "http2_only", reason.ResponseMalformed, "http2 "+address)
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(ok)) // its self-signed certificate is for example.com
	t.Cleanup(s.Close)
	address := s.Listener.Addr().String()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	first(t, doctor.Target{Addr: address, TLS: &tls.Config{RootCAs: roots, ServerName: "other.org"}}, "certificate_name", reason.TLSCertificate, "name example.com")
	first(t, doctor.Target{Addr: address, TLS: &tls.Config{RootCAs: x509.NewCertPool()}}, "certificate_self_signed", reason.TLSCertificate, "ca ")
	healthy(t, doctor.Target{Addr: address, TLS: &tls.Config{RootCAs: roots}})
	healthy(t, doctor.Target{Addr: address, TLS: &tls.Config{ServerName: "other.org"}, Insecure: true})
}

func TestResponse(t *testing.T) {
	t.Parallel()
	slow := serve(t, func(w http.ResponseWriter, r *http.Request) { <-time.After(300 * time.Millisecond) })
	first(t, doctor.Target{Addr: slow, Response: 100 * time.Millisecond}, "slow_answer", reason.ResponseTimeout, "response ")
	hung := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	first(t, doctor.Target{Addr: hung}, "no_answer", reason.ResponseTimeout, "", hasty)
	big := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Big", strings.Repeat("x", 6000)) })
	first(t, doctor.Target{Addr: big, MaxHeader: 4096}, "header_size", reason.ResponseHeaderTooLarge, "header 16")
	bad := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })
	first(t, doctor.Target{Addr: bad}, "upstream_status", reason.UpstreamStatus, "")
	round := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Proxy-Status", `goodgate; error=proxy_loop_detected; details="loop_detected"`)
		w.WriteHeader(http.StatusLoopDetected)
	})
	if f := first(t, doctor.Target{Addr: round}, "loop", reason.LoopDetected, ""); strings.Contains(f.Do, "application's log") || f.Confidence != finding.Certain {
		t.Errorf("a loop: finding %+v", f)
	}
	cut := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "short")
	})
	first(t, doctor.Target{Addr: cut}, "truncated", reason.ResponseTruncated, "")
	loop := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-Proto") != "https" {
			http.Redirect(w, r, "https://example.com/?secret=1", http.StatusFound)
		}
	})
	f := first(t, doctor.Target{Addr: loop, HTTPSClients: true}, "redirect_loop", reason.None, "proto")
	if f.Confidence != finding.Certain || strings.Contains(f.Seen, "secret") {
		t.Errorf("finding %+v", f)
	}
	healthy(t, doctor.Target{Addr: loop})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	s.Config.MaxHeaderBytes = 1 // Go adds 4 KiB
	s.Start()
	t.Cleanup(s.Close)
	first(t, doctor.Target{Addr: s.Listener.Addr().String()}, "request_header_limit", reason.UpstreamStatus, "")
	refuses := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "" {
			w.WriteHeader(http.StatusExpectationFailed)
		}
	})
	first(t, doctor.Target{Addr: refuses}, "expect_refused", reason.UpstreamStatus, "")
}

func TestHealth(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/", "/up":
		case "/moved":
			http.Redirect(w, r, "/up", http.StatusFound)
		case "/private":
			w.WriteHeader(http.StatusUnauthorized)
		case "/ill":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	for path, code := range map[string]string{"/gone": "health_not_found", "/moved": "health_redirect", "/private": "health_auth", "/ill": "health_status"} {
		h := &doctor.Health{Path: path, Passes: func(s int) bool { return s == 200 }, Status: "200", Timeout: time.Minute}
		first(t, doctor.Target{Addr: address, Health: h}, code, reason.NoUpstream, "health /up")
	}
}

func TestKeepalive(t *testing.T) {
	t.Parallel()
	says := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Keep-Alive", "timeout=5, max=100") })
	first(t, doctor.Target{Addr: says, Keepalive: time.Minute}, "keepalive_race", reason.ClosedBeforeResponse, "keepalive 4s")
	healthy(t, doctor.Target{Addr: says, Keepalive: 4 * time.Second})
	healthy(t, doctor.Target{Addr: says, Keepalive: time.Minute, Learns: true})
	s := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	s.Config.IdleTimeout = 100 * time.Millisecond
	s.Start()
	t.Cleanup(s.Close)
	f := first(t, doctor.Target{Addr: s.Listener.Addr().String(), Keepalive: time.Minute}, "keepalive_race", reason.ClosedBeforeResponse, "ms", watchful)
	if !strings.Contains(f.Seen, "closed an idle connection") {
		t.Errorf("seen %q", f.Seen)
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	ln, err := net.ListenPacket("udp", "127.0.0.1:0") // a silent name server
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	f := first(t, doctor.Target{Addr: "app.example:80", Resolver: ln.LocalAddr().String()}, "dns_timeout", reason.DNSTimeout, "", hasty)
	if !strings.Contains(f.Seen, ln.LocalAddr().String()) {
		t.Errorf("seen %q does not name the name server", f.Seen)
	}
}

// A name server that fails for AAAA is reported, and the A record is used
// (onecli/onecli#424).
func TestNameWithOneFamily(t *testing.T) {
	t.Parallel()
	server := dnstest.Serve(t, func(q dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.ResourceBody) {
		if q.Type == dnsmessage.TypeAAAA && q.Name.String() != "both.example." {
			return dnsmessage.RCodeServerFailure, nil
		}
		return dnstest.Loopback(q)
	})
	_, port, _ := net.SplitHostPort(serve(t, ok))
	f := first(t, doctor.Target{Addr: "app.example.:" + port, Resolver: server}, "dns_one_family", reason.DNSError, "one family")
	if !strings.Contains(f.Seen, "AAAA") || !strings.Contains(f.Seen, "SERVFAIL") || !strings.Contains(f.Seen, server) {
		t.Errorf("seen %q", f.Seen)
	}
	// A proxy that uses either address works with an application on one of them
	// (nginx/docker-nginx#374).
	for pair, want := range map[bool]finding.Severity{false: finding.Warning, true: finding.Notice} {
		r := look(t, doctor.Target{Addr: "both.example.:" + port, Resolver: server, Pair: pair})
		if len(r.Findings) != 1 || r.Findings[0].Severity != want {
			t.Errorf("both families, taken for one upstream %v: found %+v, want severity %v", pair, r.Findings, want)
		}
	}
}

func TestSocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(ok)}
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
	healthy(t, doctor.Target{Addr: "unix:" + path})
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := &doctor.User{Name: "www", UID: 12345, Groups: []uint32{12345}}
	first(t, doctor.Target{Addr: "unix:" + path, User: nobody}, "socket_permission", reason.ConnectUnreachable, "chgrp www "+path)
	first(t, doctor.Target{Addr: "unix:" + dir + "/none.sock"}, "socket_missing", reason.ConnectRefused, "address unix:"+path)
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	first(t, doctor.Target{Addr: "unix:" + dir + "/file"}, "not_a_socket", reason.ConnectRefused, "")
}

func TestListeners(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r := doctor.Listeners([]string{ln.Addr().String()}, "goodgate")
	if len(r.Findings) != 1 || r.Findings[0].Code != "listener_conflict" {
		t.Errorf("found %+v, want a conflict with this test", r.Findings)
	}
	if got := doctor.Holder(ln.Addr().String()); got != os.Getpid() {
		t.Errorf("holder %d, want %d", got, os.Getpid())
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	doctor.Examine(ctx, []doctor.Target{{Addr: serve(t, ok)}}, doctor.Options{})
}
