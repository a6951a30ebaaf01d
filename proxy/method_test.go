package proxy_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// A method that an application may read in a field or parameter does not lead past the
// rules for it. Where no rules differ, such requests pass.
func TestMethodOverride(t *testing.T) {
	t.Parallel()
	private, err := proxy.NewNetworks([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, front := range fronts {
		for i, c := range []struct {
			first  proxy.Route
			method string
			target string
			field  string
			value  string
			want   int
		}{
			{proxy.Route{Match: proxy.Match{Methods: []string{"DELETE"}}, Access: proxy.Access{Networks: private}}, "POST", "/", "", "", 200},
			{proxy.Route{Match: proxy.Match{Methods: []string{"DELETE"}}, Access: proxy.Access{Networks: private}}, "POST", "/", "X-HTTP-Method-Override", "DELETE", 400},
			{proxy.Route{Match: proxy.Match{Methods: []string{"DELETE"}}, Access: proxy.Access{Networks: private}}, "POST", "/", "x-method-override", "put, delete", 400},
			{proxy.Route{Match: proxy.Match{Methods: []string{"DELETE"}}, Access: proxy.Access{Networks: private}}, "POST", "/", "X-HTTP-Method", "PUT", 200},
			{proxy.Route{Match: proxy.Match{Methods: []string{"DELETE"}}, Access: proxy.Access{Networks: private}}, "POST", "/?_method=delete", "", "", 400},
			{proxy.Route{Match: proxy.Match{Methods: []string{"DELETE"}}, Access: proxy.Access{Networks: private}}, "GET", "/?_method=delete", "", "", 200},
			{proxy.Route{Match: proxy.Match{Methods: []string{"DELETE"}}, Access: proxy.Access{Networks: private}}, "delete", "/", "", "", 400},
			{proxy.Route{Match: proxy.Match{Not: []proxy.Match{{Methods: []string{"GET", "POST"}}}}, Respond: &proxy.Respond{Status: 403}}, "POST", "/", "X-HTTP-Method-Override", "PATCH", 400},
			{proxy.Route{Match: proxy.Match{Methods: []string{"GET"}}}, "POST", "/", "X-HTTP-Method-Override", "GET", 200},
			{proxy.Route{Match: proxy.Match{Path: "/x"}, Access: proxy.Access{Networks: private}}, "POST", "/", "X-HTTP-Method-Override", "DELETE", 200},
		} {
			if c.first.Respond == nil {
				if c.first.Pool, err = proxy.NewPool(balancer.Options{Name: "first"}, proxy.PoolOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			bubble(t, setup{front: front, upstreams: specs("app:80"), proxy: proxy.Options{Routes: []proxy.Route{c.first}}}, func(w *world) {
				w.app("app:80", func(http.ResponseWriter, *http.Request) {})
				r := w.request(c.method, c.target, nil)
				if c.field != "" {
					r.Header.Set(c.field, c.value)
				}
				check(t, fmt.Sprint(front, " ", i), w.do(r).status, c.want)
				if c.want == 400 {
					check(t, fmt.Sprint(front, " ", i, ": reason"), w.record().Reason, reason.RequestMalformed)
				}
			})
		}
	}
}
