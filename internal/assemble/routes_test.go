package assemble

import (
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// The configuration's lists of headers are those of a proxy that is given none,
// and what rates count by is known to the proxy.
func TestHeaderLists(t *testing.T) {
	c := parse(t, `
listeners: [{address: "127.0.0.1:0", limits: {rates: [{name: a, on: "header:x-a", requests: 1}]}}]
routes: [{pool: app, limits: {rates: [{name: b, on: "header:X-B", requests: 1}, {name: c, requests: 1}]}}]
pools: {app: {upstreams: ["http://127.0.0.1:1"], limits: {rates: [{name: d, on: "header:X-D", requests: 1}]}}}`)
	o, err := Proxy(c, nil, proxy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, lists := range map[string][2][]string{
		"trusted_headers": {o.TrustedHeaders, proxy.DefaultTrustedHeaders()},
		"drop_headers":    {o.DropHeaders, proxy.DefaultDropHeaders()},
		"decisive":        {o.Decisive, {"X-A", "X-B", "X-D"}},
	} {
		for i, list := range lists {
			for j := range list {
				lists[i][j] = http.CanonicalHeaderKey(list[j])
			}
		}
		if !slices.Equal(lists[0], lists[1]) {
			t.Errorf("%s: got %q, want %q", name, lists[0], lists[1])
		}
	}
	c = parse(t, `
listeners: ["127.0.0.1:0"]
trusted_headers: []
drop_headers: []
pools: {app: {upstreams: ["http://127.0.0.1:1"], drain_header: true}}`)
	if o, err = Proxy(c, nil, proxy.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(o.TrustedHeaders != nil, o.DropHeaders != nil, Pool(c.Pools["app"]).DrainHeader); got != "true true true" {
		t.Errorf("lists without an entry, and drain_header: got %s", got)
	}
}

// Conditions on values arrive each in its place.
func TestMatchValuesArrive(t *testing.T) {
	c := parse(t, `
listeners: ["127.0.0.1:0"]
routes:
  - match:
      host_regexp: ^h
      query: {"a[b]": "1"}
      cookies: {c: "*"}
      header_regexp: {x-a: "^h"}
      query_regexp: {q: "^q"}
      cookie_regexp: {k: "^k"}
      header_prefix: {x-p: p}
      query_prefix: {qp: p}
      cookie_prefix: {kp: p}
      header_absent: x-n
      query_absent: [qn]
      cookie_absent: kn
      all: [{any: [{path: /a}, {not: [{header_absent: x-d}]}]}]
    pool: app
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`)
	m := Match(c, c.Routes[0].Match)
	var got strings.Builder
	got.WriteString(fmt.Sprint(m.HostRegexp, m.Query, m.Cookies))
	for _, p := range m.Patterns {
		got.WriteString(fmt.Sprint(" ", p.Of, p.Name, p.Prefix, p.Regexp, p.Absent))
	}
	deep := m.All[0].Any[1].Not[0].Patterns[0]
	got.WriteString(fmt.Sprint(" ", m.All[0].Any[0].Path, deep.Name, deep.Absent))
	if want := "^h map[a[b]:1] map[c:*] 0X-N<nil> true 0X-Pp<nil> false 0X-A^h false 1qn<nil> true 1qpp<nil> false 1q^q false 2kn<nil> true 2kpp<nil> false 2k^k false /aX-Dtrue"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
	for _, bad := range []string{`header_regexp: {"a b": x}`, `query: {"": x}`, `query_regexp: {a: "("}`, `cookies: {"a=b": x}`, `cookie_regexp: {a: ""}`} {
		text := "listeners: [\"127.0.0.1:0\"]\nroutes: [{match: {" + bad + "}, respond: {status: 204}}]\n"
		if _, _, err := config.Parse("test.yaml", []byte(text), os.LookupEnv); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestRewritesArrive(t *testing.T) {
	c := parse(t, `
listeners: ["127.0.0.1:0"]
routes:
  - response_rewrites:
      location: [{from: a, to: b}, {regexp: c, to: d}]
      cookie_flags: [{name: x, secure: set, same_site: lax}, {regexp: y, http_only: remove, same_site: remove}]
    pool: app
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`)
	w := rewrites(c.Routes[0].Rewrites)
	got := fmt.Sprintf("%v %+v", w.Location, w.CookieFlags)
	if want := "[{a <nil> b} { c d}] [{Name:x Regexp:<nil> Secure:1 HTTPOnly:0 SameSite:Lax} {Name: Regexp:y Secure:0 HTTPOnly:2 SameSite:-}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHeaderEditsArrive(t *testing.T) {
	c := parse(t, `
listeners: ["127.0.0.1:0"]
routes: [{pool: app, request_headers: {set: {A: "1"}}, response_headers: {add: {B: "2"}}, error_headers: {remove: [C]}}]
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`)
	r := newRoute(c, c.Routes[0], nil)
	if got := fmt.Sprint(r.RequestHeaders.Set, r.ResponseHeaders.Add, r.ErrorHeaders.Remove); got != "map[A:1] map[B:2] [C]" {
		t.Errorf("got %s", got)
	}
}

func TestFallbackArrives(t *testing.T) {
	p := new(proxy.Pool)
	r := &config.Respond{Status: 503, Body: "b", Headers: config.Headers{"X": "y"}}
	for _, test := range []struct {
		c    *config.Fallback
		want *proxy.Fallback
	}{
		{nil, nil},
		{&config.Fallback{Pool: "spare", On: []string{"unavailable", "status"}}, &proxy.Fallback{Pool: p, On: reason.Unavailable | reason.BadStatus}},
		{&config.Fallback{Respond: r, On: []string{"connect", "response"}},
			&proxy.Fallback{Respond: &proxy.Respond{Status: 503, Body: "b", Headers: r.Headers}, On: reason.Unconnected | reason.Unanswered}},
	} {
		if got := newFallback(test.c, map[string]*proxy.Pool{"spare": p}); !reflect.DeepEqual(got, test.want) {
			t.Errorf("got %+v, want %+v", got, test.want)
		}
	}
}
