package proxy

import (
	"crypto/tls"
	"net/netip"
	"net/url"
	"regexp"
	"testing"
)

// Each condition lets in what it is about and keeps out its neighbours; together
// they must all hold.
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

// BenchmarkMatch looks for the last of fifty routes: what each that does not match
// costs.
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
