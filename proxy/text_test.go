package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// staff is a client's certificate whose name tries to add another field.
func staff() *x509.Certificate {
	spiffe, _ := url.Parse("spiffe://example.com/app")
	return &x509.Certificate{
		Raw: []byte("certificate"), SerialNumber: big.NewInt(0x0a0b), Subject: pkix.Name{CommonName: "al\r\nX-Admin: 1"}, Issuer: pkix.Name{CommonName: "CA"},
		DNSNames: []string{"a.example.com", "b.example.com"}, URIs: []*url.URL{spiffe}, EmailAddresses: []string{"al@example.com"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(86400, 0),
	}
}

// A request's variables describe its connection, and a certificate's name stays within
// its field.
func TestVariablesOfConnections(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"{tls.version}": "TLSv1.3", "{tls.cipher}": "TLS_AES_128_GCM_SHA256", "{tls.server_name}": "shop%0Dx", "{tls.protocol}": "h2", "{tls.resumed}": "false",
		"{tls.client.subject}": "CN=al%0D%0AX-Admin: 1", "{tls.client.issuer}": "CN=CA", "{tls.client.serial}": "0a0b",
		"{tls.client.fingerprint}": "03d66dd08835c1ca3f128cceacd1f31ac94163096b20f445ae84285bc0832d72",
		"{tls.client.dns_names}":   "a.example.com,b.example.com", "{tls.client.uris}": "spiffe://example.com/app", "{tls.client.emails}": "al@example.com",
		"{tls.client.not_before}": "1970-01-01T00:00:00Z", "{tls.client.not_after}": "1970-01-02T00:00:00Z", "{tls.client.certificate}": ":Y2VydGlmaWNhdGU=:",
		"{client_ip}": "192.0.2.1", "{client_port}": "1234", "{server_port}": "", "{protocol}": "HTTP/1.1", "{scheme}": "https",
		"{route}": "shop", "{pool}": "app", `\{route}`: "{route}", "{header.X-In}{header:X-In}": "aa", "{query.q}": "1",
	}
	var s setup
	s.route.Name, s.route.RequestHeaders.Set = "shop", map[string]string{}
	names := map[string]string{}
	for text := range want {
		names[text] = "X-" + strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return '-'
		}, text)
		s.route.RequestHeaders.Set[names[text]] = text
	}
	_, sent := echo(t, s)
	r := httptest.NewRequest("GET", "/?q=1", nil)
	r.Header.Set("X-In", "a")
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, ServerName: "shop\rx", NegotiatedProtocol: "h2", PeerCertificates: []*x509.Certificate{staff()}}
	got := sent(r).Header
	for text, value := range want {
		if v := got.Get(names[text]); v != value {
			t.Errorf("%s: got %q, want %q", text, v, value)
		}
	}
	r.TLS = nil
	for text := range want {
		if v := sent(r).Header.Get(names[text]); strings.Contains(text, "tls.") && v != "" {
			t.Errorf("in the clear, %s: got %q", text, v)
		}
	}
}

// A client's data stays text in an answer's body, and cannot change the host of a
// redirect.
func TestVariablesAreEscaped(t *testing.T) {
	t.Parallel()
	const hostile = `</p><script>"x"\`
	for _, tc := range []struct{ contentType, body, want, isType string }{
		{"text/html; charset=utf-8", "<p>{header:X-A}</p>", "<p>&lt;/p&gt;&lt;script&gt;&#34;x&#34;\\</p>", "text/html; charset=utf-8"},
		{"text/html charset=utf-8", "{header:X-A}", "&lt;/p&gt;&lt;script&gt;&#34;x&#34;\\", "text/html charset=utf-8"},
		{"TEXT/html,x", "{header:X-B}", "`&#39;", "TEXT/html,x"},
		{"text/javascript", "f('{header:X-B}')", `f('\u0060\u0027')`, "text/javascript"},
		{"application/json", `"{header:X-B}"`, `"\u0060\u0027"`, "application/json"},
		{"application/xhtml+xml", "{header:X-A}", "&lt;/p&gt;&lt;script&gt;&#34;x&#34;\\", "application/xhtml+xml"},
		{"application/problem+json", `{"a":"{header:X-A}"}`, `{"a":"\u003c/p\u003e\u003cscript\u003e\"x\"\\"}`, "application/problem+json"},
		{"text/plain", "{header:X-A}", hostile, "text/plain"},
		{"", "{header:X-A}", hostile, "text/plain; charset=utf-8"},
		{"", "no variable", "no variable", ""},
	} {
		rt := proxy.Route{Respond: &proxy.Respond{Body: tc.body}}
		if tc.contentType != "" {
			rt.ResponseHeaders.Set = map[string]string{"Content-Type": tc.contentType}
		}
		w := start(t, setup{route: rt})
		r := w.request("GET", "/", nil)
		r.Header.Set("X-A", hostile)
		r.Header.Set("X-B", "`'")
		res := w.do(r)
		check(t, tc.contentType+", body", res.body, tc.want)
		check(t, tc.contentType+", type", res.header.Get("Content-Type"), tc.isType)
	}
	for to, want := range map[string]string{
		"https://example.com/?a={header:X-A}": "https://example.com/?a=%2F%2Fevil%26b%3D%0A1%202",
		"/{header:X-A}":                       "/%2F%2Fevil%26b%3D%0A1%202",
		"/{cookie:back}":                      "/evil",
	} {
		w := start(t, setup{route: proxy.Route{Redirect: &proxy.Redirect{To: to}}})
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["X-A"] = []string{"//evil&b=\n1 2"}
		r.Header.Set("Cookie", "back=evil")
		rec := httptest.NewRecorder()
		w.proxy.ServeHTTP(rec, r)
		check(t, to, rec.Header().Get("Location"), want)
	}
	for host, want := range map[string]string{"pub.example:8443": "https://pub.example:8443/", "[::1]:80": "https://[::1]:80/", "a, b": "https://a%2C%20b/", "evil.example/": "https://evil.example%2F/", "u@b": "https://u%40b/"} {
		w := start(t, setup{proxy: proxy.Options{Trusted: networksAll, TrustedHeaders: []string{"X-Forwarded-Host"}}, route: proxy.Route{Redirect: &proxy.Redirect{To: "https://{forwarded_host}/"}}})
		check(t, host, w.raw("GET / HTTP/1.1\nHost: a\nX-Forwarded-Host: "+host+"\n\n").header.Get("Location"), want)
	}
	w := start(t, setup{route: proxy.Route{Redirect: &proxy.Redirect{To: "/{query:next}"}}})
	for next, want := range map[string]string{`\evil`: "/evil", "/evil": "/evil", `\/evil`: "/evil", "a": "/a"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = "next=" + next
		rec := httptest.NewRecorder()
		w.proxy.ServeHTTP(rec, r)
		check(t, next, rec.Header().Get("Location"), want)
	}
}

// A log line describes a request that has ended.
func TestTextOfRecords(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	s.route.Name = "shop"
	w := start(t, s)
	w.app("app:80", nil)
	r := w.request("GET", "/a%20b?c=d", nil)
	r.Header.Set("X-Tenant", `t"1`)
	w.do(r)
	text, err := proxy.NewText(`{method} {uri} {protocol} {route} {pool} {upstream} {header:X-Tenant} {tls.version}. {x y}`)
	if err != nil {
		t.Fatal(err)
	}
	rec := w.record()
	check(t, "text", text.Of(&rec), `GET /a%20b?c=d HTTP/1.1 shop app app:80 t"1 . {x y}`)
	check(t, "appended", string(text.Append([]byte("> "), &rec)), "> "+text.Of(&rec))
	for _, wrong := range []string{"{clientip}", "{1}", "{header}", "{tls.x}"} {
		if _, err := proxy.NewText(wrong); err == nil || !strings.Contains(err.Error(), wrong[:2]) {
			t.Errorf("%s: got error %v", wrong, err)
		}
	}
}
