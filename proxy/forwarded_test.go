package proxy_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// echo is a world whose upstream returns the fields it received.
func echo(tb testing.TB, s setup) (w *world, sent func(r *http.Request) *http.Request) {
	s.upstreams = specs("app:80")
	w = start(tb, s)
	var got *http.Request
	w.app("app:80", func(_ http.ResponseWriter, r *http.Request) { got = r })
	return w, func(r *http.Request) *http.Request {
		got = nil
		w.proxy.ServeHTTP(httptest.NewRecorder(), r)
		return got
	}
}

func prefixes(list ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(list))
	for i, s := range list {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}

// allClaims are the fields in which proxies describe the client.
var allClaims = []string{"X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP", "Forwarded", "X-Request-Id"}

func TestForwarded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, peer string
		host       string
		tls        bool
		believed   []string // nil = the default
		in         http.Header
		want       http.Header
		client     string
	}{
		{name: "untrusted", peer: "192.0.2.1:1", client: "192.0.2.1",
			want: http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"example.com"},
				"Forwarded": {"for=192.0.2.1;host=example.com;proto=http"}, "Via": {"1.1 gate"}}},
		{name: "untrusted, with claims", peer: "192.0.2.1:1", client: "192.0.2.1", tls: true,
			in: http.Header{"X-Forwarded-For": {"10.0.0.1"}, "X-Forwarded-Proto": {"gopher"}, "X-Forwarded-Host": {"evil"}, "Forwarded": {"for=10.0.0.1"},
				"X-Forwarded-Port": {"1"}, "X-Forwarded-Prefix": {"/evil"}, "X-Forwarded-Server": {"evil"}, "X-Real-Ip": {"10.0.0.1"},
				"X_forwarded_for": {"10.0.0.1"}, "X_real_ip": {"10.0.0.1"}, "Via": {"1.0 old"}},
			want: http.Header{"X-Forwarded-For": {"192.0.2.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"example.com"},
				"Forwarded": {"for=192.0.2.1;host=example.com;proto=https"}, "Via": {"1.0 old, 1.1 gate"}}},
		{name: "trusted", peer: "10.0.0.9:1", client: "192.0.2.7",
			in: http.Header{"X-Forwarded-For": {"203.0.113.5, 192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil"},
				"X-Forwarded-Port": {"1"}, "X-Forwarded-Prefix": {"/evil"}, "X-Real-Ip": {"6.6.6.6"}, "Forwarded": {"for=6.6.6.6"}},
			want: http.Header{"X-Real-Ip": {"192.0.2.7"}, "X-Forwarded-For": {"203.0.113.5, 192.0.2.7, 10.0.0.9"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"example.com"},
				"Forwarded": {"for=10.0.0.9;host=example.com;proto=http"}, "Via": {"1.1 gate"}}},
		{name: "trusted, adds lines", peer: "10.0.0.9:1", client: "192.0.2.7", believed: allClaims,
			in: http.Header{"X-Forwarded-For": {"6.6.6.6", "192.0.2.7"}, "X-Forwarded-Proto": {"https", "http"}, "X-Forwarded-Host": {"evil", "public.example"}},
			want: http.Header{"X-Forwarded-For": {"6.6.6.6, 192.0.2.7, 10.0.0.9"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"public.example"},
				"Forwarded": {"for=10.0.0.9;host=example.com;proto=http"}, "Via": {"1.1 gate"}}},
		{name: "trusted in all", peer: "10.0.0.9:1", client: "192.0.2.7", believed: allClaims,
			in: http.Header{"X-Forwarded-For": {"203.0.113.5, 192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"public.example"},
				"X-Forwarded-Port": {"443"}, "X-Real-Ip": {"192.0.2.7"}, "Forwarded": {"for=192.0.2.7"}},
			want: http.Header{"X-Forwarded-For": {"203.0.113.5, 192.0.2.7, 10.0.0.9"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"public.example"},
				"X-Forwarded-Port": {"443"}, "X-Real-Ip": {"192.0.2.7"},
				"Forwarded": {"for=192.0.2.7, for=10.0.0.9;host=example.com;proto=http"}, "Via": {"1.1 gate"}}},
		{name: "a chain of trusted ones", peer: "10.0.0.9:1", client: "192.0.2.7",
			in: http.Header{"X-Forwarded-For": {"6.6.6.6", "192.0.2.7,10.1.1.1", " 10.2.2.2:8080 "}},
			want: http.Header{"X-Forwarded-For": {"6.6.6.6, 192.0.2.7,10.1.1.1,  10.2.2.2:8080 , 10.0.0.9"}, "X-Forwarded-Proto": {"http"},
				"X-Forwarded-Host": {"example.com"}, "Forwarded": {"for=10.0.0.9;host=example.com;proto=http"}, "Via": {"1.1 gate"}}},
		{name: "nonsense ends the chain", peer: "10.0.0.9:1", client: "10.1.1.1",
			in: http.Header{"X-Forwarded-For": {"192.0.2.7, unknown, 10.1.1.1"}},
			want: http.Header{"X-Forwarded-For": {"192.0.2.7, unknown, 10.1.1.1, 10.0.0.9"}, "X-Forwarded-Proto": {"http"},
				"X-Forwarded-Host": {"example.com"}, "Forwarded": {"for=10.0.0.9;host=example.com;proto=http"}, "Via": {"1.1 gate"}}},
		{name: "IPv6 and a port", peer: "[2001:db8::1]:1", host: "example.com:8080", client: "2001:db8::1",
			want: http.Header{"X-Forwarded-For": {"2001:db8::1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"example.com:8080"},
				"Forwarded": {`for="[2001:db8::1]";host="example.com:8080";proto=http`}, "Via": {"1.1 gate"}}},
		{name: "IPv4 in IPv6", peer: "[::ffff:10.0.0.9]:1", client: "192.0.2.7", in: http.Header{"X-Forwarded-For": {"::ffff:192.0.2.7"}},
			want: http.Header{"X-Forwarded-For": {"::ffff:192.0.2.7, 10.0.0.9"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"example.com"},
				"Forwarded": {"for=10.0.0.9;host=example.com;proto=http"}, "Via": {"1.1 gate"}}},
		{name: "a trusted link-local peer", peer: "[fe80::1%eth0]:1", client: "192.0.2.7", in: http.Header{"X-Forwarded-For": {"192.0.2.7"}},
			want: http.Header{"X-Forwarded-For": {"192.0.2.7, fe80::1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"example.com"},
				"Forwarded": {`for="[fe80::1]";host=example.com;proto=http`}, "Via": {"1.1 gate"}}},
		{name: "unix socket", peer: "@", client: "192.0.2.7", in: http.Header{"X-Forwarded-For": {"192.0.2.7"}},
			want: http.Header{"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"example.com"},
				"Forwarded": {"for=unknown;host=example.com;proto=http"}, "Via": {"1.1 gate"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := setup{}
			s.proxy.Via = "gate"
			s.proxy.Trusted = prefixes("10.0.0.0/8", "fe80::/10")
			s.proxy.TrustedHeaders = tc.believed
			w, sent := echo(t, s)
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tc.peer
			if tc.host != "" {
				r.Host = tc.host
			}
			if tc.tls {
				r.TLS = &tls.ConnectionState{}
			}
			maps.Copy(r.Header, tc.in)
			got := sent(r).Header
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server",
				"X-Real-Ip", "X_forwarded_for", "X_real_ip", "Forwarded", "Via"} {
				if !slices.Equal(got[name], tc.want[name]) {
					t.Errorf("%s: got %q, want %q", name, got[name], tc.want[name])
				}
			}
			check(t, "client", w.record().Client.String(), tc.client)
		})
	}
}

// An application gets the removed path prefix, so that it can make links that work, as
// with Traefik's StripPrefix. The trusted prefix of proxies in front comes before it.
func TestForwardedPrefix(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		strip, path, peer string
		said              []string
		want              string
	}{
		{"/app", "/app/x", "192.0.2.1:1", nil, "/app"},
		{"/app/", "/app", "192.0.2.1:1", nil, "/app"},
		{"/app", "/%61pp/x%2Fy", "192.0.2.1:1", nil, "/app"},
		{"/\u00fc b", "/%C3%BC%20b/", "192.0.2.1:1", nil, "/%C3%BC%20b"},
		{"/app", "/apple", "192.0.2.1:1", nil, ""},
		{"/app", "/app%2Fx", "192.0.2.1:1", nil, ""},
		{"/", "/x", "192.0.2.1:1", nil, ""},
		{"", "/app", "192.0.2.1:1", nil, ""},
		{"/app", "/app", "192.0.2.1:1", []string{"/evil"}, "/app"},
		{"/app", "/other", "192.0.2.1:1", []string{"/evil"}, ""},
		{"/app", "/app", "10.0.0.9:1", []string{"/outer"}, "/outer/app"},
		{"/app", "/app", "10.0.0.9:1", []string{"/client", "/outer/"}, "/outer/app"},
		{"/app", "/app", "10.0.0.9:1", []string{"/"}, "/app"},
		{"/app", "/other", "10.0.0.9:1", []string{"/outer"}, "/outer"},
		{"", "/x", "10.0.0.9:1", []string{"/outer"}, "/outer"},
	} {
		for _, http2 := range []bool{false, true} {
			s := setup{}
			s.proxy.Trusted = prefixes("10.0.0.0/8")
			s.proxy.TrustedHeaders = []string{"X-Forwarded-Prefix"}
			s.route.StripPrefix = tc.strip
			_, sent := echo(t, s)
			r := httptest.NewRequest("GET", tc.path, nil)
			if http2 {
				r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
			}
			r.RemoteAddr, r.Header["X-Forwarded-Prefix"] = tc.peer, tc.said
			if tc.said == nil {
				delete(r.Header, "X-Forwarded-Prefix")
			}
			got := sent(r).Header
			check(t, fmt.Sprintf("strip %q from %s of %s, said %q", tc.strip, tc.path, tc.peer, tc.said), strings.Join(got["X-Forwarded-Prefix"], " + "), tc.want)
		}
	}
}

// Both relays send X-Forwarded-Prefix, and a route can change or remove it.
func TestForwardedPrefixOnTheWire(t *testing.T) {
	t.Parallel()
	for _, edit := range []proxy.HeaderEdits{{}, {Remove: []string{"X-Forwarded-Prefix"}}, {Set: map[string]string{"X-Forwarded-Prefix": "/set"}}} {
		s := setup{upstreams: specs("app:80")}
		s.route.StripPrefix, s.route.AddPrefix, s.route.RequestHeaders = "/a", "/b", edit
		w := start(t, s)
		w.app("app:80", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.RequestURI, r.Header["X-Forwarded-Prefix"])
		})
		want := "/b[/a]"
		switch {
		case edit.Remove != nil:
			want = "/b[]"
		case edit.Set != nil:
			want = "/b[/set]"
		}
		check(t, "the application has", w.raw("GET /a HTTP/1.1\nHost: example.com\nx-forwarded-prefix: /evil\nX_Forwarded_Prefix: /evil\n\n").body, want)
	}
}

// Only one field decides the client's address. The others have no effect, whether or not
// that one is there.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		believed []string
		in       http.Header
		client   string
		chain    string // X-Forwarded-For
	}{
		{nil, http.Header{"Forwarded": {"for=6.6.6.6"}, "X-Real-Ip": {"6.6.6.6"}}, "10.0.0.9", "10.0.0.9"},
		{[]string{"X-Request-Id"}, http.Header{"X-Forwarded-For": {"6.6.6.6"}}, "10.0.0.9", "10.0.0.9"},
		{[]string{}, http.Header{"X-Forwarded-For": {"6.6.6.6"}}, "10.0.0.9", "10.0.0.9"},
		{[]string{"X-Real-IP"}, http.Header{"X-Real-Ip": {"192.0.2.7"}, "X-Forwarded-For": {"6.6.6.6"}}, "192.0.2.7", "192.0.2.7, 10.0.0.9"},
		{[]string{"X-Real-IP", "X-Forwarded-For"}, http.Header{"X-Forwarded-For": {"6.6.6.6"}}, "10.0.0.9", "6.6.6.6, 10.0.0.9"},
		{[]string{"cf-connecting-ip"}, http.Header{"Cf-Connecting-Ip": {"2001:db8::7"}, "X-Forwarded-For": {"6.6.6.6"}}, "2001:db8::7", "2001:db8::7, 10.0.0.9"},
		{[]string{"Forwarded"}, http.Header{"Forwarded": {"for=6.6.6.6, for=192.0.2.7;proto=https"}, "X-Forwarded-For": {"6.6.6.6"}}, "192.0.2.7", "192.0.2.7, 10.0.0.9"},
		{[]string{"Forwarded"}, http.Header{"Forwarded": {"for=6.6.6.6", `proto=https;For="[2001:db8::7]:4711"; host=x, for=10.1.1.1`}}, "2001:db8::7", "2001:db8::7, 10.0.0.9"},
		{[]string{"Forwarded"}, http.Header{"Forwarded": {`for=6.6.6.6;x=", for=192.0.2.7`}}, "192.0.2.7", "192.0.2.7, 10.0.0.9"},
		{[]string{"Forwarded"}, http.Header{"Forwarded": {"for=6.6.6.6, for=unknown"}}, "10.0.0.9", "10.0.0.9"},
		{[]string{"Forwarded"}, http.Header{"Forwarded": {"for=6.6.6.6, proto=https"}}, "10.0.0.9", "10.0.0.9"},
		{[]string{"Forwarded"}, http.Header{"Forwarded": {"for=6.6.6.6;for=7.7.7.7"}}, "10.0.0.9", "10.0.0.9"},
		{[]string{"Forwarded"}, http.Header{"Forwarded": {`for="6.6.6.6`}}, "10.0.0.9", "10.0.0.9"},
		{[]string{"Forwarded"}, http.Header{"X-Forwarded-For": {"6.6.6.6"}}, "10.0.0.9", "10.0.0.9"},
	} {
		s := setup{}
		s.proxy.Trusted = prefixes("10.0.0.0/8")
		s.proxy.TrustedHeaders = tc.believed
		w, sent := echo(t, s)
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Header = "10.0.0.9:1", tc.in
		got := sent(r).Header
		name := fmt.Sprint(tc.believed, tc.in)
		check(t, name+": client", w.record().Client.String(), tc.client)
		check(t, name+": X-Forwarded-For", strings.Join(got["X-Forwarded-For"], " + "), tc.chain)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		peer string
		in   []string
		kept bool
	}{
		{"10.0.0.9:1", []string{"abc-123"}, true},
		{"10.0.0.9:1", []string{strings.Repeat("x", 128)}, true},
		{"10.0.0.9:1", []string{strings.Repeat("x", 129)}, false},
		{"10.0.0.9:1", []string{"a", "b"}, false},
		{"10.0.0.9:1", []string{"a b"}, false},
		{"10.0.0.9:1", []string{`a"b`}, false},
		{"10.0.0.9:1", []string{""}, false},
		{"10.0.0.9:1", nil, false},
		{"192.0.2.1:1", []string{"abc-123"}, false},
		{"@", []string{"abc-123"}, true},
	} {
		s := setup{}
		s.proxy.Trusted = prefixes("10.0.0.0/8")
		w, sent := echo(t, s)
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tc.peer
		if tc.in != nil {
			r.Header["X-Request-Id"] = tc.in
		}
		id := sent(r).Header.Get("X-Request-Id")
		check(t, "id in the record", w.record().ID, id)
		if kept := len(tc.in) > 0 && id == tc.in[0]; kept != tc.kept || !kept && len(id) != 32 {
			t.Errorf("%s %q: got %q", tc.peer, tc.in, id)
		}
	}
}

// A client cannot claim another identity, whatever fields it sends, and the fields for
// the upstream are well formed.
func FuzzForwarded(f *testing.F) {
	for _, xff := range []string{"", "10.0.0.1", "1.2.3.4, 10.0.0.1", "::1%zone", "fe80::1%10.0.0.1", "[::1]:80", ",,,", "unknown, 10.0.0.1", "10.0.0.1:80"} {
		f.Add(xff, "for=1.2.3.4", "example.com", "id")
	}
	f.Add("", `for="[::1]"`, `a"b\c`, "a\"b")
	peer := netip.MustParseAddr("192.0.2.1")
	trusted := prefixes("10.0.0.0/8", "::1/128")
	s := setup{}
	s.proxy.Trusted = trusted
	s.route.Respond = &proxy.Respond{}
	w := start(f, s)
	f.Fuzz(func(t *testing.T, xff, forwarded, host, id string) {
		ask := func(remote, xff string) proxy.Record {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr, r.Host = remote, host
			r.Header = http.Header{"X-Forwarded-For": {xff}, "Forwarded": {forwarded}, "X-Request-Id": {id}}
			w.proxy.ServeHTTP(httptest.NewRecorder(), r)
			w.mu.Lock()
			defer w.mu.Unlock()
			last := w.records[len(w.records)-1]
			w.records = w.records[:0]
			return last
		}
		if got := ask("192.0.2.1:1", xff); got.Client != peer || got.ID == id {
			t.Errorf("an untrusted peer passed for %s, %s", got.Client, got.ID)
		}
		// A trusted proxy appends the address of its client.
		if got := ask("10.0.0.9:1", xff+", 192.0.2.1").Client; got != peer {
			t.Errorf("a client of a trusted proxy passed for %s", got)
		}
		if got := ask("10.0.0.9:1", xff).Client; got.Zone() != "" {
			t.Errorf("the client's address has the zone %q", got.Zone())
		}
	})
}
