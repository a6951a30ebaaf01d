package proxy

import (
	"net/url"
	"strings"
	"testing"
)

func TestReadingsOfPaths(t *testing.T) {
	f := func(path, cleaned, escaped, rfc string, climbs bool) {
		t.Helper()
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Fatal(err)
		}
		got, up := clean(u.Path)
		if got != cleaned || up != climbs {
			t.Errorf("clean(%q): got %q, %t; want %q, %t", path, got, up, cleaned, climbs)
		}
		if got := cleanEscaped(u.EscapedPath()); got != escaped {
			t.Errorf("cleanEscaped(%q): got %q, want %q", path, got, escaped)
		}
		if got := withoutDots(u.Path); got != rfc {
			t.Errorf("withoutDots(%q): got %q, want %q", path, got, rfc)
		}
	}
	f("/", "/", "/", "/", false)
	f("/a/b/", "/a/b/", "/a/b/", "/a/b/", false)
	f("/a/./b/..", "/a/", "/a/", "/a/", false)
	f("//a///b", "/a/b", "/a/b", "//a///b", false)
	f("/a//../b", "/b", "/b", "/a/b", false)
	f("/a%2fb", "/a/b", "/a%2Fb", "/a/b", false)
	f("/a/..%2fb", "/b", "/a/..%2Fb", "/b", false)
	f("/a/%2e%2e/b", "/b", "/b", "/b", false)
	f("/a/..;x/b;y/c", "/b/c", "/b/c", "/a/..;x/b;y/c", false)
	f("/a%5c..%5cb", "/b", `/a\..\b`, `/a\..\b`, false)
	f("/../a", "/a", "/a", "/a", true)
	f("/a/../../b", "/b", "/b", "/b", true)
	f("/...", "/...", "/...", "/...", false)
}

// FuzzRefusal: an accepted request fits one line and valid fields, and all
// interpretations of its path belong to its route.
func FuzzRefusal(f *testing.F) {
	for _, s := range []string{"/admin/x", "//admin", "/a/../admin/", "/a/..%2fadmin/x", "/a;b/..;/admin/x", "/%61dmin/", `/a\..\admin/x`, "/a#b", "/%00", "*", "http://a/b"} {
		f.Add("GET", s, "a.example")
	}
	f.Add("PRI", "*", "")
	f.Add("GET", "/", "[::1]:80")
	f.Add("GET", "/", "user@a:1:2")
	p, err := New(Options{Routes: []Route{{Match: Match{Path: "/admin/*"}, Respond: &Respond{}}, {Respond: &Respond{}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target, host string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := &Request{Method: method, URL: u, RequestURI: target, Host: host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
		if refusal(r) != nil {
			return
		}
		if host == "" || strings.ContainsAny(host, " ,/\\@?#\"\r\n\x00") {
			t.Errorf("host %q is let in", host)
		}
		x := &exchange{proxy: p, request: r}
		rt := x.match(u.Path)
		if x.pathRefusal(rt) != nil {
			return
		}
		admin := rt == &p.opts.Routes[0]
		// The server's interpretation of the forwarded path must belong to the same
		// route.
		if cleaned, _ := clean(u.Path); strings.HasPrefix(cleaned, "/admin/") != admin {
			t.Errorf("%q: got to the route of admin: %t, an application reads %q", target, admin, cleaned)
		}
	})
}
