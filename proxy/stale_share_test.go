package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// TestStaleIsNotShared sends a request from one client while the application is up, and
// from another after it has gone. Before, pages of users with "Expires: 0" reached other
// users, and one request with X-Forwarded-Host changed a page for all.
func TestStaleIsNotShared(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name            string
		response, first string // fields, separated by |
		second          string
		want            bool
	}{
		{"Expires: 0, another user", "Expires: 0", "Cookie: session=1", "Cookie: session=2", false},
		{"Expires: 0, no user", "Expires: 0", "Cookie: session=1", "", false},
		{"Expires long ago", "Expires: Thu, 19 Nov 1981 08:52:00 GMT", "Cookie: session=1", "", false},
		{"max-age=0", "Cache-Control: max-age=0|Vary: Accept-Encoding", "Cookie: session=1", "", false},
		{"max-age=60", "Cache-Control: max-age=60", "Cookie: session=1", "Cookie: session=2", true},
		{"an API key", "", "X-Api-Key: 1", "X-Api-Key: 2", false},
		{"a token", "", "X-Auth-Token: 1", "", false},
		{"the same token, in silence", "", "X-Auth-Token: 1", "X-Auth-Token: 1", false},
		{"X-Forwarded-Host of a trusted proxy", "", "X-Forwarded-Host: evil.example", "", false},
		{"X-Forwarded-Prefix of a trusted proxy", "", "X-Forwarded-Prefix: //evil.example", "", false},
		{"Forwarded of a trusted proxy", "", "Forwarded: for=192.0.2.1;host=evil.example", "", false},
		{"X-Real-IP of a trusted proxy", "", "X-Real-Ip: <script>", "", false},
		{"another client behind a trusted proxy", "", "X-Forwarded-For: 192.0.2.1|X-Real-Ip: 192.0.2.1", "X-Forwarded-For: 192.0.2.2|X-Real-Ip: 192.0.2.2", true},
		{"X-Original-URL", "", "X-Original-Url: /admin", "", false},
		{"encoded", "Content-Encoding: br", "Accept-Encoding: br", "Accept-Encoding: identity", false},
	} {
		s := staleSetup()
		s.proxy.Trusted = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		s.proxy.DropHeaders = []string{}
		s.proxy.TrustedHeaders = []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix", "Forwarded", "X-Real-Ip"}
		bubble(t, s, func(w *world) {
			app := w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
				addFields(w.Header(), tc.response)
				io.WriteString(w, "page")
			})
			ask := func(header string) answer {
				r := w.request("GET", "/account", nil)
				addFields(r.Header, header)
				return w.do(r)
			}
			check(t, tc.name+", at first", ask(tc.first).status, 200)
			app.Close()
			time.Sleep(time.Minute)
			check(t, tc.name+", in the end", ask(tc.second).body == "page", tc.want)
		})
	}
}

func addFields(h http.Header, list string) {
	for field := range strings.SplitSeq(list, "|") {
		if name, v, ok := strings.Cut(field, ": "); ok {
			h.Add(name, v)
		}
	}
}

// An upstream's trailer is not kept, announced or not.
func TestStaleAndTrailers(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{"announced": "Trailer: Set-Cookie\n", "not announced": ""} {
		bubble(t, staleSetup(), func(w *world) {
			done := false
			w.script("app:80", func(c *wire) {
				for c.header() != nil && !done {
					done = true
					c.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n" + head + "\n1\nx\n0\nSet-Cookie: session=1\n\n")
				}
			})
			got := w.get()
			check(t, name, got.body, "x")
			again := w.get()
			if again.body == "x" && (len(again.trailer) > 0 || again.header["Set-Cookie"] != nil) {
				t.Errorf("%s: another client got %v, %v", name, again.header, again.trailer)
			}
			check(t, name+", kept", again.body == "x", false)
		})
	}
}

// A certificate identifies the client, as a cookie does.
func TestStaleAndCertificates(t *testing.T) {
	t.Parallel()
	bubble(t, staleSetup(), func(w *world) {
		app := page(w)
		silent := w.app("silent:80", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secret") })
		w.pool.Update(specs("silent:80"))
		ask := func(certificates ...*x509.Certificate) int {
			r := httptest.NewRequest("GET", "https://example.com/", nil)
			r.TLS = &tls.ConnectionState{PeerCertificates: certificates}
			rec := httptest.NewRecorder()
			w.proxy.ServeHTTP(rec, r)
			return rec.Code
		}
		app.Close()
		check(t, "with a certificate", ask(&x509.Certificate{}), 200)
		silent.Close()
		check(t, "without, later", ask(), reason.ConnectRefused.Status())
		check(t, "with, later", ask(&x509.Certificate{}), reason.ConnectRefused.Status())
	})
}
