package proxy

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Each condition matches its own requests and not similar ones. All conditions together
// must match.
func TestMatchConditions(t *testing.T) {
	base := func() *exchange {
		x := &exchange{request: &Request{Method: "GET", URL: &url.URL{Path: "/a/b.php"}, Host: "example.com"}}
		x.listener.Name, x.record.Client = "public", netip.MustParseAddr("10.1.2.3")
		return x
	}
	for name, test := range map[string]struct {
		m    Match
		want bool
	}{
		"nothing":            {Match{}, true},
		"listener":           {Match{Listeners: []string{"public"}}, true},
		"one of listeners":   {Match{Listeners: []string{"other", "public"}}, true},
		"another listener":   {Match{Listeners: []string{"public2"}}, false},
		"client":             {Match{Clients: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, true},
		"another client":     {Match{Clients: []netip.Prefix{netip.MustParsePrefix("10.1.2.4/32"), netip.MustParsePrefix("::/0")}}, false},
		"expression":         {Match{PathRegexp: regexp.MustCompile(`\.php$`)}, true},
		"expression, case":   {Match{PathRegexp: regexp.MustCompile(`\.PHP$`)}, false},
		"expression ends":    {Match{PathRegexp: regexp.MustCompile(`^/b`)}, false},
		"expression, prefix": {Match{Path: "/a/*", PathRegexp: regexp.MustCompile(`php`)}, true},
		"prefix fails":       {Match{Path: "/b/*", PathRegexp: regexp.MustCompile(`php`)}, false},
		"host":               {Match{HostRegexp: regexp.MustCompile(`^[a-z]+\.com$`)}, true},
		"host and name":      {Match{HostRegexp: regexp.MustCompile(`^e`), Hosts: []string{"other.com"}}, false},
		"another host":       {Match{HostRegexp: regexp.MustCompile(`^[a-z]+\.org$`)}, false},
		"http":               {Match{Scheme: "http"}, true},
		"all but one":        {Match{Listeners: []string{"public"}, Methods: []string{"POST"}}, false},
	} {
		x := base()
		if got := test.m.matches(x, x.request.URL.Path); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
	for host, want := range map[string]bool{"Example.COM:81": true, "example.com.": true, "xexample.com": false, "": false, "[::1]": false} {
		if m := (Match{HostRegexp: regexp.MustCompile(`^example\.com$`)}); m.matchesHost(host) != want {
			t.Errorf("host %q: got %t", host, !want)
		}
	}
	x := base()
	x.record.Client = netip.Addr{} // on a unix socket
	if m := (Match{Clients: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}); m.matches(x, "/") {
		t.Error("a client without an address is in a network")
	}
	x.request.TLS = new(tls.ConnectionState)
	if m := (Match{Scheme: "http"}); m.matches(x, "/") {
		t.Error("TLS is taken for plain HTTP")
	}
}

// BenchmarkMatch looks for the last of fifty routes, to measure the cost of a route that
// does not match.
func BenchmarkMatch(b *testing.B) {
	p := &Proxy{}
	for i := range 50 {
		m := Match{Hosts: []string{"a.example.com", "*.b.example.com"}, Path: "/app/*"}
		if i == 49 {
			m = Match{Path: "/app/*"}
		}
		p.opts.Routes = append(p.opts.Routes, Route{Match: m})
	}
	x := &exchange{proxy: p, request: &Request{Method: "GET", URL: &url.URL{Path: "/app/x", RawQuery: "a=1"}, Host: "example.com"}}
	b.ReportAllocs()
	for b.Loop() {
		if x.match(x.request.URL.Path) == nil {
			b.Fatal("no route")
		}
	}
}

// The index finds the same route as a search through the list, whatever the routes.
func TestRouteIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	host := func() string {
		return pick("a", "b", "www") + "." + pick("Example.com", "example.org", "x.example.com")
	}
	path := func() string {
		var p strings.Builder
		for range 1 + r.IntN(3) {
			p.WriteString("/" + pick("a", "b", "", "ab"))
		}
		return p.String()
	}
	found := 0
	for range 200 {
		p := &Proxy{}
		for range leastIndexed + r.IntN(100) {
			var m Match
			for range r.IntN(3) {
				m.Hosts = append(m.Hosts, pick(host(), host(), "*."+host(), "*.com"))
			}
			switch r.IntN(4) {
			case 0:
				m.Path = path()
			case 1, 2:
				m.Path = path() + "*"
			}
			if r.IntN(3) == 0 {
				m.Methods = []string{"POST"}
			}
			if r.IntN(20) == 0 {
				m.HostRegexp = regexp.MustCompile("^www")
			}
			p.opts.Routes = append(p.opts.Routes, Route{Match: m})
		}
		by := newRouteIndex(p.opts.Routes)
		for range 50 {
			x := &exchange{proxy: p, request: &Request{Method: pick("GET", "POST"), Host: pick(host(), host()+":80", host()+".", "com", "", ".com", "[::1]:80")}}
			at := pick(path(), path(), "*", "")
			p.index = nil
			want := x.match(at)
			p.index = by
			if got := x.match(at); got != want {
				t.Fatalf("host %q, path %q: got %+v, want %+v", x.request.Host, at, got, want)
			}
			if want != nil {
				found++
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d requests had a route", found)
	}
}

// BenchmarkMatchMany looks for one of many hosts, and for one of many paths of a host.
func BenchmarkMatchMany(b *testing.B) {
	for _, n := range []int{40, 100, 10_000} {
		for _, by := range []string{"host", "path"} {
			b.Run(fmt.Sprintf("%s/%d", by, n), func(b *testing.B) {
				p := &Proxy{}
				for i := range n {
					m := Match{Hosts: []string{fmt.Sprintf("h%d.example.com", i)}, Path: "/app/*"}
					if by == "path" {
						m = Match{Hosts: []string{"example.com"}, Path: fmt.Sprintf("/s%d/*", i)}
					}
					p.opts.Routes = append(p.opts.Routes, Route{Match: m})
				}
				p.index = newRouteIndex(p.opts.Routes)
				x := &exchange{proxy: p, request: &Request{Method: "GET", URL: &url.URL{Path: "/app/x"}, Host: fmt.Sprintf("h%d.example.com", n-1)}}
				if by == "path" {
					x.request.Host, x.request.URL.Path = "example.com", fmt.Sprintf("/s%d/x", n-1)
				}
				b.ReportAllocs()
				for b.Loop() {
					if x.match(x.request.URL.Path) == nil {
						b.Fatal("no route")
					}
				}
			})
		}
	}
}
