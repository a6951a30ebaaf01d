package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// Upstreams get the certificate in the fields of RFC 9440. A client's own version of
// these fields never reaches them, in any spelling, in header or trailer.
func TestClientCert(t *testing.T) {
	t.Parallel()
	shown := []*x509.Certificate{{Raw: []byte("leaf")}, {Raw: []byte("issuer")}, {Raw: []byte("root")}}
	for _, tc := range []struct {
		send        proxy.ClientCert
		shown       []*x509.Certificate
		cert, chain string
	}{
		{proxy.LeafClientCert, shown, ":bGVhZg==:", ""},
		{proxy.ChainClientCert, shown, ":bGVhZg==:", ":aXNzdWVy:, :cm9vdA==:"},
		{proxy.ChainClientCert, shown[:1], ":bGVhZg==:", ""},
		{proxy.ChainClientCert, nil, "", ""},
		{proxy.LeafClientCert, nil, "", ""},
	} {
		var s setup
		s.route.ClientCert = tc.send
		_, sent := echo(t, s)
		for _, tls := range []*tls.ConnectionState{nil, {PeerCertificates: tc.shown}} {
			r := httptest.NewRequest("POST", "/", strings.NewReader("x"))
			r.TLS, r.ContentLength = tls, -1
			r.Header = http.Header{"Client-Cert": {":evil:"}, "Client_cert": {":evil:"}, "client-cert-chain": {":evil:"}, "X-A": {"1"}}
			r.Trailer = http.Header{"Client-Cert": {":evil:"}}
			got := sent(r)
			cert, chain := tc.cert, tc.chain
			if tls == nil {
				cert, chain = "", ""
			}
			for name, values := range got.Header {
				v := strings.Join(values, " + ")
				switch {
				case name == "Client-Cert" && v == cert, name == "Client-Cert-Chain" && v == chain:
				case strings.HasPrefix(strings.ToLower(name), "client"):
					t.Errorf("%+v: %s: got %q", tc, name, v)
				}
			}
			if got.Header.Get("Client-Cert") != cert || got.Header.Get("Client-Cert-Chain") != chain || got.Header.Get("X-A") != "1" || len(got.Trailer) > 0 {
				t.Errorf("%+v: got %v, trailer %v", tc, got.Header, got.Trailer)
			}
		}
	}
}

// Redirects and cookies of an application that does not know its prefix get the prefix.
// Those of an application that knows it stay unchanged.
func TestRestorePrefix(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ strip, add, location, want string }{
		{"/app", "", "/login?next=/x#y", "/app/login?next=/x#y"},
		{"/app", "", "/", "/app/"},
		{"/app", "", "/app/login", "/app/login"},
		{"/app", "", "/app", "/app"},
		{"/app", "", "/apple", "/app/apple"},
		{"/app", "", "login", "login"},
		{"/app", "", "?a", "?a"},
		{"/app", "", "http://example.com/login", "http://example.com/app/login"},
		{"/app", "", "http://example.com", "http://example.com/app/"},
		{"/app", "", "http://app:80/login?a", "/app/login?a"},
		{"/app", "", "http://app:80", "/app/"},
		{"/app", "", "http://APP/login?a=http://app/", "/app/login?a=http://app/"},
		{"/app", "", "https://app/login", "https://app/login"},
		{"/app", "", "https://pub.example:8443/login", "https://pub.example:8443/app/login"},
		{"/app", "", "https://sso.example/login", "https://sso.example/login"},
		{"/app", "", "//evil.example/x", "//evil.example/x"},
		{"/app", "", "mailto:a@b", "mailto:a@b"},
		{"/app", "", "http://[", "http://["},
		{"/app", "", "/a%2Fb", "/app/a%2Fb"},
		{"/a b", "", "/x", "/a%20b/x"},
		{"/app", "/v1", "/v1/x", "/app/x"},
		{"/app", "/v1", "/other", "/other"},
		{"", "/v1", "/v1/x", "/x"},
		{"", "/v1", "/v1", "/"},
	} {
		for _, front := range []string{"inbound", "inbound-httputil"} {
			s := setup{front: front, upstreams: specs("app:80"), proxy: proxy.Options{Trusted: networksAll, TrustedHeaders: []string{"X-Forwarded-Host"}}}
			s.route.StripPrefix, s.route.AddPrefix, s.route.Rewrites = tc.strip, tc.add, &proxy.ResponseRewrites{RestorePrefix: true}
			w := start(t, s)
			w.app("app:80", func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Location"] = []string{tc.location}
				w.Header().Set("Refresh", "5; url="+tc.location)
				w.Header().Set("Set-Cookie", "a=b; Path=/v1/c")
				w.WriteHeader(302)
			})
			res := w.raw("GET /app/x HTTP/1.1\nHost: example.com\nX-Forwarded-Host: pub.example:8443\n\n")
			check(t, front+": "+tc.location, res.header.Get("Location"), tc.want)
			check(t, front+": Refresh: "+tc.location, res.header.Get("Refresh"), "5; url="+tc.want)
			cookie := map[string]string{"/app": "/app/v1/c", "/app/v1": "/app/c", "/a b": "/a%20b/v1/c", "/v1": "/c"}[tc.strip+tc.add]
			check(t, front+": cookie", res.header.Get("Set-Cookie"), "a=b; Path="+cookie)
		}
	}
}

// An entry of the lists has precedence over RestorePrefix.
func TestRestorePrefixAfterLists(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80")}
	s.route.StripPrefix = "/app"
	s.route.Rewrites = &proxy.ResponseRewrites{RestorePrefix: true, Location: []proxy.Rewrite{{From: "/sso", To: "/single"}}}
	w := start(t, s)
	w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Location"] = []string{r.URL.Query().Get("to")}
		w.WriteHeader(302)
	})
	check(t, "listed", w.send("GET", "/app/?to=/sso/x", nil).header.Get("Location"), "/single/x")
	check(t, "not listed", w.send("GET", "/app/?to=/x", nil).header.Get("Location"), "/app/x")
}

// The port and the host are those that the client used, and a client cannot forge them.
func TestForwardedVariables(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		host  string
		tls   bool
		peer  string
		said  http.Header
		want  string
		trust []string
	}{
		{"example.com", false, "192.0.2.1:1", nil, "http example.com 80", nil},
		{"example.com", true, "192.0.2.1:1", nil, "https example.com 443", nil},
		{"example.com:8443", true, "192.0.2.1:1", nil, "https example.com:8443 8443", nil},
		{"[::1]:81", false, "192.0.2.1:1", nil, "http [::1]:81 81", nil},
		{"example.com", false, "10.0.0.9:1", http.Header{"X-Forwarded-Proto": {"https"}}, "https example.com 443", nil},
		{"example.com", false, "192.0.2.1:1", http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Port": {"1"}, "X-Forwarded-Host": {"evil:2"}}, "http example.com 80", nil},
		{"example.com", false, "10.0.0.9:1", http.Header{"X-Forwarded-Port": {"1"}}, "http example.com 80", nil},
		{"example.com", false, "10.0.0.9:1", http.Header{"X-Forwarded-Port": {"8443"}, "X-Forwarded-Host": {"a:9"}}, "http a:9 8443", []string{"X-Forwarded-Port", "X-Forwarded-Host"}},
		{"example.com", false, "10.0.0.9:1", http.Header{"X-Forwarded-Port": {"1", "8443"}, "X-Forwarded-Host": {"b:8", "a:9"}, "X-Forwarded-Proto": {"http", "https"}}, "https a:9 8443", []string{"X-Forwarded-Port", "X-Forwarded-Host", "X-Forwarded-Proto"}},
		{"example.com", false, "10.0.0.9:1", http.Header{"X-Forwarded-Port": {"no"}, "X-Forwarded-Host": {"a:9"}}, "http a:9 9", []string{"X-Forwarded-Port", "X-Forwarded-Host"}},
	} {
		var s setup
		s.proxy.Trusted, s.proxy.TrustedHeaders = prefixes("10.0.0.0/8"), tc.trust
		s.route.RequestHeaders.Set = map[string]string{"X-Seen": "{forwarded_proto} {forwarded_host} {forwarded_port}"}
		_, sent := echo(t, s)
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.RemoteAddr = tc.host, tc.peer
		if tc.said != nil {
			r.Header = tc.said
		}
		if tc.tls {
			r.TLS = &tls.ConnectionState{}
		}
		check(t, tc.want, sent(r).Header.Get("X-Seen"), tc.want)
	}
}
