package gate

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// An upstream reached by TLS must show a trusted certificate, and sees the configured
// one.
func TestUpstreamTLS(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "good authority"), t.TempDir()
	site := ca.Issue("127.0.0.1")
	cert, key := ca.Files(dir, "client", ca.Issue("client"))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, len(r.TLS.PeerCertificates), r.TLS.ServerName)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{site}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ca.Pool()}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.StartTLS()
	defer s.Close()
	other := certtest.NewAuthority(t, "other").File(t.TempDir())
	sum := sha256.Sum256(site.Leaf.RawSubjectPublicKeyInfo)
	pin := "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
	wrong := "sha256/" + strings.Repeat("A", 43) + "="
	for _, tc := range []struct{ tls, want, logged string }{
		{fmt.Sprintf("ca: %q", ca.File(dir)), "200 0", ""},
		{fmt.Sprintf("ca: %q, cert: %q, key: %q", ca.File(dir), cert, key), "200 1", ""},
		{fmt.Sprintf("ca: %q", other), "502 ", `certificate of "127.0.0.1" for ["127.0.0.1"], by "good authority"`},
		{fmt.Sprintf("ca: %q, server_name: shop.example", ca.File(dir)), "502 ", "shop.example"},
		{fmt.Sprintf("ca: %q, pins: %q", ca.File(dir), pin), "200 0", ""},
		{fmt.Sprintf("ca: %q, pins: %q", ca.File(dir), wrong), "502 ", "its key, " + pin + ", is not in tls.pins"},
		{fmt.Sprintf("insecure: true, pins: [%q, %q]", wrong, pin), "200 0", ""},
		{fmt.Sprintf("insecure: true, pins: %q", wrong), "502 ", "is not in tls.pins"},
	} {
		var log strings.Builder
		r := start(t, parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q], tls: {%s}, health: {type: none}, hold: {for: 0s}, retry: {attempts: 1}}}`, s.URL, tc.tls)),
			Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if got := get(t, "http://"+r.addrs[0]); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.tls, got, tc.want)
		}
		r.stop()
		close(r.now)
		r.ended <- <-r.ended
		text := strings.ReplaceAll(log.String(), `\`, "")
		if !strings.Contains(text, tc.logged) || tc.logged != "" && !strings.Contains(text, "reason=tls_certificate") {
			t.Errorf("%s: the log has no %q: %s", tc.tls, tc.logged, text)
		}
	}
}

// Only configured peers may set the client's address with the PROXY protocol.
func TestProxyProtocolIn(t *testing.T) {
	up := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("X-Forwarded-For")) }))
	r := start(t, parse(t, fmt.Sprintf(`
listeners:
  - {address: "127.0.0.1:0", proxy_protocol: 127.0.0.0/8}
  - {address: "127.0.0.1:0", proxy_protocol: [10.0.0.0/8]}
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, up)), Options{})
	const (
		request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
		v1      = "PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n"
		v2      = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\x7f\x00\x00\x01\x12\x67\x00\x50"
	)
	silent, err := net.Dial("tcp", r.addrs[0]) // which must not keep the others from being accepted
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, tc := range []struct {
		listener int
		sent     string
		want     string
	}{
		{0, v1 + request, "203.0.113.7"},
		{0, v2 + request, "203.0.113.7"},
		{0, request, ""}, // the connection is closed
		{1, request, "127.0.0.1"},
		{1, v1 + request, "400 Bad Request"},
	} {
		c, err := net.Dial("tcp", r.addrs[tc.listener])
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(5 * time.Second))
		c.Write([]byte(tc.sent))
		var answer strings.Builder
		b := make([]byte, 4096)
		for n, err := c.Read(b); err == nil; n, err = c.Read(b) {
			answer.Write(b[:n])
		}
		c.Close()
		if got := answer.String(); !strings.Contains(got, tc.want) || tc.want == "" && strings.Contains(got, "200 OK") {
			t.Errorf("listener %d, %q: got %q, want %q in it", tc.listener, tc.sent, got, tc.want)
		}
	}
}
