package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// routed returns a function that reports which route answers a request, or "refused" for
// a path with several interpretations. Each route answers with its name, and other
// requests get 404.
func routed(tb testing.TB, many bool, routes ...proxy.Route) func(target string, change ...func(*http.Request)) string {
	tb.Helper()
	var all []proxy.Route
	for i := range 60 { // enough for the index
		if many {
			all = append(all, proxy.Route{Match: proxy.Match{Path: fmt.Sprintf("/none-%d/*", i)}, Respond: &proxy.Respond{Body: "none"}})
		}
	}
	for _, rt := range routes {
		rt.Respond = &proxy.Respond{Body: rt.Name}
		all = append(all, rt)
	}
	p, err := proxy.New(proxy.Options{Routes: all})
	if err != nil {
		tb.Fatal(err)
	}
	return func(target string, change ...func(*http.Request)) string {
		r := httptest.NewRequest("GET", "/", nil)
		u, err := url.ParseRequestURI(target)
		if err != nil {
			tb.Fatal(err)
		}
		r.URL, r.RequestURI = u, target
		for _, f := range change {
			f(r)
		}
		rec := httptest.NewRecorder()
		p.ServeHTTP(rec, r)
		switch rec.Code {
		case http.StatusOK:
			return rec.Body.String()
		case http.StatusBadRequest:
			return "refused"
		}
		return fmt.Sprint(rec.Code)
	}
}

func TestPathsWithStars(t *testing.T) {
	t.Parallel()
	for _, many := range []bool{false, true} {
		for pattern, cases := range map[string]string{
			"/a/*/b":       "/a/x/b yes, /a/x.y/b yes, /a/x/y/b no, /a/b no, /a/x/b/ no, /a/x/bb no, /x/a/x/b no",
			"/a/*/b/*":     "/a/x/b/ yes, /a/x/b/c/d yes, /a/x/y/b/c no, /a/x/b no",
			"*.png":        "/x.png yes, /a/b/x.png yes, /x.pngx no, /x.PNG no, /x.png/y no",
			"/img-*.png":   "/img-1.png yes, /img-.png yes, /img-a/b.png no",
			"*/secret/*":   "/secret/x yes, /a/secret/x yes, /a/b/secret/x/y yes, /secretx no",
			"/*/b":         "/a/b yes, /a/c/b no",
			"/a.b/*/c+d":   "/a.b/x/c+d yes, /axb/x/c+d no, /a.b/x/ccd no",
			"/a/*/b/*/c/*": "/a/1/b/2/c/3/4 yes, /a/1/b/2/3/c/4 no",
		} {
			ask := routed(t, many, proxy.Route{Name: "yes", Match: proxy.Match{Path: pattern}}, proxy.Route{Name: "no"})
			for c := range strings.SplitSeq(cases, ", ") {
				path, want, _ := strings.Cut(c, " ")
				check(t, fmt.Sprintf("%s, indexed %t: %s", pattern, many, path), ask(path), want)
			}
		}
	}
}

// Ports, TLS names, alternatives and exceptions match with and without the index.
func TestMoreConditions(t *testing.T) {
	t.Parallel()
	port := func(n int) func(*http.Request) {
		return func(r *http.Request) {
			*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{Port: n})))
		}
	}
	sni := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.TLS = &tls.ConnectionState{ServerName: name} }
	}
	field := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = append(r.Header[name], value) }
	}
	for _, many := range []bool{false, true} {
		for _, tc := range []struct {
			what   string
			match  proxy.Match
			target string
			change []func(*http.Request)
			want   bool
		}{
			{"port", proxy.Match{Ports: []int{81, 8443}}, "/", []func(*http.Request){port(8443)}, true},
			{"another port", proxy.Match{Ports: []int{81, 8443}}, "/", []func(*http.Request){port(443)}, false},
			{"no port", proxy.Match{Ports: []int{81}}, "/", nil, false},
			{"name", proxy.Match{ServerNames: []string{"a.example"}}, "/", []func(*http.Request){sni("A.example")}, true},
			{"name below", proxy.Match{ServerNames: []string{"*.example"}}, "/", []func(*http.Request){sni("a.b.example")}, true},
			{"another server name with the right host", proxy.Match{ServerNames: []string{"example.com"}}, "/", []func(*http.Request){sni("other")}, false},
			{"no TLS", proxy.Match{ServerNames: []string{"example.com"}}, "/", nil, false},
			{"first alternative", proxy.Match{Any: []proxy.Match{{Path: "/a"}, {Path: "/b"}}}, "/a", nil, true},
			{"second alternative", proxy.Match{Any: []proxy.Match{{Path: "/a"}, {Path: "/b"}}}, "/b", nil, true},
			{"no alternative", proxy.Match{Any: []proxy.Match{{Path: "/a"}, {Path: "/b"}}}, "/c", nil, false},
			{"an alternative and the rest", proxy.Match{Methods: []string{"POST"}, Any: []proxy.Match{{Path: "/a"}}}, "/a", nil, false},
			{"half an alternative", proxy.Match{Any: []proxy.Match{{Path: "/a", Methods: []string{"POST"}}}}, "/a", nil, false},
			{"no exception", proxy.Match{Not: []proxy.Match{{Path: "/a"}}}, "/b", nil, true},
			{"an exception", proxy.Match{Not: []proxy.Match{{Path: "/b"}, {Path: "/a"}}}, "/a", nil, false},
			{"half an exception", proxy.Match{Not: []proxy.Match{{Path: "/a", Methods: []string{"POST"}}}}, "/a", nil, true},
			{"absent", proxy.Match{Not: []proxy.Match{{Headers: map[string]string{"X-A": "*"}}}}, "/", nil, true},
			{"not absent", proxy.Match{Not: []proxy.Match{{Headers: map[string]string{"X-A": "*"}}}}, "/", []func(*http.Request){field("X-A", "")}, false},
			{"absent cookie", proxy.Match{Not: []proxy.Match{{Cookies: map[string]string{"a": "*"}}}}, "/", []func(*http.Request){field("Cookie", "b=1; a=2")}, false},
			{"absent parameter", proxy.Match{Not: []proxy.Match{{Query: map[string]string{"a": "*"}}}}, "/?b=1&%61", nil, false},
			{"header absent", proxy.Match{Patterns: []proxy.Pattern{{Name: "X-A", Absent: true}}}, "/", []func(*http.Request){field("X-B", "1")}, true},
			{"header absent, but it is there", proxy.Match{Patterns: []proxy.Pattern{{Name: "X-A", Absent: true}}}, "/", []func(*http.Request){field("X-A", "")}, false},
			{"parameter absent, but it is there", proxy.Match{Patterns: []proxy.Pattern{{Of: proxy.FromQuery, Name: "a", Absent: true}}}, "/?b=1&%61", nil, false},
			{"cookie absent, but it is there", proxy.Match{Patterns: []proxy.Pattern{{Of: proxy.FromCookie, Name: "a", Absent: true}}}, "/", []func(*http.Request){field("Cookie", "b=1; a=2")}, false},
			{"header prefix", proxy.Match{Patterns: []proxy.Pattern{{Name: "X-A", Prefix: "v2-"}}}, "/", []func(*http.Request){field("X-A", "v1-1"), field("X-A", "v2-1")}, true},
			{"another header prefix", proxy.Match{Patterns: []proxy.Pattern{{Name: "X-A", Prefix: "v2-"}}}, "/", []func(*http.Request){field("X-A", "V2-1")}, false},
			{"parameter prefix", proxy.Match{Patterns: []proxy.Pattern{{Of: proxy.FromQuery, Name: "a", Prefix: "b c"}}}, "/?a=b+cd", nil, true},
			{"prefix of an absent cookie", proxy.Match{Patterns: []proxy.Pattern{{Of: proxy.FromCookie, Name: "a", Prefix: ""}}}, "/", nil, false},
			{"all", proxy.Match{All: []proxy.Match{{Path: "/a/*"}, {Path: "*.png"}}}, "/a/b.png", nil, true},
			{"not all", proxy.Match{All: []proxy.Match{{Path: "/a/*"}, {Path: "*.png"}}}, "/b/b.png", nil, false},
			{"several alternatives, all met", proxy.Match{All: []proxy.Match{{Any: []proxy.Match{{Path: "/a"}, {Path: "/b"}}}, {Any: []proxy.Match{{Methods: []string{"PUT"}}, {Not: []proxy.Match{{Methods: []string{"PUT"}}}}}}}}, "/b", nil, true},
			{"several alternatives, one not met", proxy.Match{All: []proxy.Match{{Any: []proxy.Match{{Path: "/a"}, {Path: "/b"}}}, {Any: []proxy.Match{{Methods: []string{"PUT"}}}}}}, "/b", nil, false},
			{"four levels", proxy.Match{Any: []proxy.Match{{All: []proxy.Match{{Not: []proxy.Match{{Any: []proxy.Match{{Path: "/a"}}}}}}}}}, "/a", nil, false},
			{"within two", proxy.Match{Any: []proxy.Match{{Path: "/a/*", Not: []proxy.Match{{Path: "/a/x"}}}}}, "/a/x", nil, false},
		} {
			ask := routed(t, many, proxy.Route{Name: "yes", Match: tc.match}, proxy.Route{Name: "no"})
			check(t, fmt.Sprintf("%s, indexed %t", tc.what, many), ask(tc.target, tc.change...) == "yes", tc.want)
		}
	}
}

// No other spelling of a path avoids an exception, an alternative or a star.
func TestSpellingsOfConditions(t *testing.T) {
	t.Parallel()
	for what, open := range map[string]proxy.Match{
		"not":     {Not: []proxy.Match{{Path: "/admin/*"}, {Path: "/admin"}}},
		"all not": {All: []proxy.Match{{Any: []proxy.Match{{Not: []proxy.Match{{Path: "/admin*"}}}}}}},
		"any not": {Any: []proxy.Match{{Not: []proxy.Match{{Path: "/admin*"}}}}},
	} {
		ask := routed(t, false, proxy.Route{Name: "open", Match: open}, proxy.Route{Name: "guarded"})
		check(t, what, ask("/admin/x")+ask("/admin/")+ask("/x"), "guardedguardedopen")
		for _, target := range []string{"/x/../admin/x", "//admin/x", "/./admin/x", "/admin;a/x", "/x/..;/admin/x", `/x\..\admin/x`, "/%2e/admin/x", "/x/%2e%2e/admin/x", "/x%2F..%2Fadmin/x", "/;/admin/x", "/admin%2Fx", "/%5cadmin/x"} {
			if got := ask(target); got != "refused" && got != "guarded" {
				t.Errorf("%s: %s: got %s", what, target, got)
			}
		}
	}
	ask := routed(t, false, proxy.Route{Name: "guarded", Match: proxy.Match{Path: "/t/*/admin/*"}}, proxy.Route{Name: "asset", Match: proxy.Match{Path: "*.png"}}, proxy.Route{Name: "open"})
	check(t, "stars", ask("/t/1/admin/x")+ask("/a.png")+ask("/t/1/x"), "guardedassetopen")
	for _, target := range []string{"/t/1//admin/x", "/t/1/x/../admin/x", "/t//1/admin/x", "/t/1/admin;x/x", "/t/1/%2e/admin/x", "/t/1%2Fadmin/x", "/x/..%2Ft/1/admin/x", "/secret;.png", "/t/1/admin/x;/../y.png"} {
		if got := ask(target); got != "refused" && got != "guarded" {
			t.Errorf("%s: got %s", target, got)
		}
	}
}
