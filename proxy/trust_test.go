package proxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// variables returns a header in the form in which CGI, WSGI and PHP pass it to
// applications.
func variables(h http.Header) map[string]string {
	all := map[string]string{}
	for name, values := range h {
		key := strings.Map(func(c rune) rune {
			if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
				return c
			}
			return '_'
		}, strings.ToLower(name))
		if earlier, ok := all[key]; ok {
			values = append([]string{earlier}, values...)
		}
		slices.Sort(values)
		all[key] = strings.Join(values, ",")
	}
	return all
}

// spellings returns names that an application may confuse with a field's.
func spellings(name string) []string {
	list := []string{name, strings.ToUpper(name)}
	for _, c := range "_.!#$%&'*+^`|~" {
		if other := strings.ReplaceAll(name, "-", string(c)); other != name {
			list = append(list, other, strings.ToLower(other), strings.Replace(name, "-", string(c), 1))
		}
	}
	return list
}

// asSent returns a server's header that has a field in several spellings.
func asSent(name, value string) http.Header {
	h := http.Header{}
	for _, s := range spellings(name) {
		h.Set(s, value)
	}
	return h
}

// A route's edits apply to all spellings of a field, in header and trailer.
func TestHeaderEditsHoldInEverySpelling(t *testing.T) {
	t.Parallel()
	s := setup{}
	s.route.RequestHeaders = proxy.HeaderEdits{
		Remove: []string{"x-authenticated-user", "X_Internal_Role"},
		Set:    map[string]string{"x-tenant": "public"},
		Add:    map[string]string{"X-Trail": "ours"},
	}
	_, sent := echo(t, s)
	for name, want := range map[string]string{
		"X-Authenticated-User": "", "X-Internal-Role": "", "X-Tenant": "public", "X-Trail": "evil,ours", "X-Other": strings.Repeat("evil,", len(asSent("X-Other", ""))-1) + "evil",
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("x"))
		r.Header = asSent(name, "evil")
		r.ContentLength = -1
		r.Trailer = asSent(name, "evil")
		got := sent(r)
		key := strings.ToLower(strings.ReplaceAll(name, "-", "_"))
		if name == "X-Internal-Role" { // removed as it is spelled in the configuration, too
			delete(got.Header, "X-Internal-Role")
		}
		check(t, name, variables(got.Header)[key], want)
		if n := len(got.Trailer); (n > 0) != (name == "X-Other") {
			t.Errorf("%s: %d fields of the trailer", name, n)
		}
	}
}

// strangers are fields that only proxies in front may send.
var strangers = slices.Concat(proxy.DefaultDropHeaders(), []string{"X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server",
	"X-Forwarded-Ssl", "X-Forwarded-User", "X-Forwarded-" + strings.Repeat("x", 300), "X-Real-IP", "Goodgate-Drain"})

// Forwarding fields reach no upstream from a client, nor from a trusted proxy if they are
// not in TrustedHeaders.
func TestClaimsAreDroppedInEverySpelling(t *testing.T) {
	t.Parallel()
	for _, peer := range []string{"192.0.2.1:1", "10.0.0.9:1"} {
		s := setup{}
		s.proxy.Trusted = prefixes("10.0.0.0/8")
		_, sent := echo(t, s)
		for _, name := range append([]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "Content-Length", "Transfer-Encoding"}, strangers...) {
			r := httptest.NewRequest("POST", "/", strings.NewReader("x"))
			r.RemoteAddr, r.Header = peer, asSent(name, "evil")
			if peer[0] == '1' && peer[1] == '0' && slices.Contains(proxy.DefaultTrustedHeaders(), name) || name == "Content-Length" || name == "Transfer-Encoding" {
				delete(r.Header, name) // as it should be
			}
			r.ContentLength = -1
			r.Trailer = asSent(name, "evil")
			got := sent(r)
			for key, value := range variables(got.Header) {
				if strings.Contains(value, "evil") {
					t.Errorf("%s: %s: the application has %s = %q", peer, name, key, value)
				}
			}
			check(t, peer+" "+name+": fields of the trailer", len(got.Trailer), 0)
		}
	}
}

// The configuration decides which fields are trusted.
func TestTrustedAndDroppedHeaders(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		peer              string
		believed, dropped []string
		name              string
		passes            bool
	}{
		{"192.0.2.1:1", nil, nil, "Proxy", false},
		{"192.0.2.1:1", nil, []string{}, "Proxy", true},
		{"192.0.2.1:1", nil, []string{}, "X-Real-IP", false},
		{"192.0.2.1:1", nil, []string{"x-api-version"}, "X-Api-Version", false},
		{"192.0.2.1:1", nil, []string{"X-Api-Version"}, "X_Api_Version", false},
		{"192.0.2.1:1", nil, nil, "X-Http-Method-Override", true},
		{"192.0.2.1:1", nil, nil, "X_Whatever", true},
		{"10.0.0.9:1", nil, nil, "True-Client-IP", false},
		{"10.0.0.9:1", []string{"True-Client-IP"}, nil, "True-Client-IP", true},
		{"10.0.0.9:1", []string{"True-Client-IP"}, nil, "True_Client_IP", false},
		{"192.0.2.1:1", []string{"True-Client-IP"}, nil, "True-Client-IP", false},
		{"192.0.2.1:1", []string{"True-Client-IP"}, []string{}, "True-Client-IP", false},
		{"10.0.0.9:1", []string{"Goodgate-Drain"}, nil, "Goodgate-Drain", false},
		{"10.0.0.9:1", []string{"X-Auth-User"}, nil, "X-Auth-User", true},
		{"192.0.2.1:1", []string{"X-Auth-User"}, nil, "X-Auth-User", false},
		{"192.0.2.1:1", []string{"X-Auth-User"}, nil, "X_Auth_User", false},
	} {
		s := setup{}
		s.proxy.Trusted = prefixes("10.0.0.0/8")
		s.proxy.TrustedHeaders, s.proxy.DropHeaders = tc.believed, tc.dropped
		_, sent := echo(t, s)
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tc.peer
		r.Header.Set(tc.name, "said")
		got := sent(r).Header.Get(tc.name)
		check(t, fmt.Sprint(tc.peer, tc.believed, tc.dropped, tc.name), got == "said", tc.passes)
		check(t, "the caller's request", r.Header.Get(tc.name), "said")
	}
}

// A client can neither reach nor avoid a route with another spelling: the application
// sees the fields that the route's condition has checked.
func TestConditionsSeeWhatTheApplicationSees(t *testing.T) {
	t.Parallel()
	for name, reachable := range map[string]bool{"X-Debug": true, "X-Forwarded-Host": false, "X-Original-URL": false} {
		s := setup{}
		s.proxy.Routes = []proxy.Route{{Match: proxy.Match{Headers: map[string]string{name: "*"}}, Respond: &proxy.Respond{Status: 403}}}
		_, sent := echo(t, s)
		for _, spelled := range spellings(name) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set(spelled, "evil")
			got := sent(r)
			check(t, spelled+" gets into the route on "+name, got == nil, reachable && strings.EqualFold(spelled, name))
			if got == nil {
				continue
			}
			for key, value := range variables(got.Header) {
				if strings.Contains(value, "evil") {
					t.Errorf("%s went past the route on %s as %s", spelled, name, key)
				}
			}
		}
	}
}

// The key field of a rate reaches the application only in the spelling that was counted.
func TestRatesCountWhatTheApplicationSees(t *testing.T) {
	t.Parallel()
	s := setup{}
	s.proxy.Decisive = []string{"X-Api-Key"}
	_, sent := echo(t, s)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = asSent("X-Api-Key", "k")
	check(t, "key", variables(sent(r).Header)["x_api_key"], "k")
}

// A peer without an address is trusted only on a unix socket.
func TestPeerWithoutAnAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		local net.Addr
		want  string
	}{
		{&net.UnixAddr{Name: "/run/x.sock", Net: "unix"}, "192.0.2.7"},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, "invalid IP"},
	} {
		w, sent := echo(t, setup{})
		r := httptest.NewRequest("GET", "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tc.local))
		r.RemoteAddr = "/run/evil.sock"
		r.Header.Set("X-Forwarded-For", "192.0.2.7")
		sent(r)
		check(t, tc.local.String(), w.record().Client.String(), tc.want)
	}
}
