package proxy_test

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// TestMaintenance: clients get the page, testers reach the application, and no upstream
// is blamed.
func TestMaintenance(t *testing.T) {
	m := &proxy.Maintenance{
		Page: []byte("<p>back soon"), RetryAfter: 5 * time.Minute, Clients: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")},
		Passes: []proxy.Pass{
			{Of: proxy.FromHeader, Name: "X-Tester", Sum: sha256.Sum256([]byte("secret"))},
			{Of: proxy.FromCookie, Name: "tester", Sum: sha256.Sum256([]byte("yes"))},
		},
	}
	for _, front := range []string{"net/http", "inbound"} {
		s := setup{upstreams: specs("app:80"), front: front}
		s.proxy.Trusted = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
		s.route.Fallback = &proxy.Fallback{Respond: &proxy.Respond{Status: 200}}
		bubble(t, s, func(w *world) {
			w.app("app:80", ok)
			w.pool.SetMaintenance(m)
			ask := func(fields ...string) answer {
				r := w.request("POST", "/", strings.NewReader("body"))
				for i := 0; i < len(fields); i += 2 {
					r.Header.Set(fields[i], fields[i+1])
				}
				return w.do(r)
			}
			got := ask("Accept", "text/html")
			check(t, "status", got.status, 503)
			check(t, "page", got.body, "<p>back soon")
			check(t, "Content-Type", got.header.Get("Content-Type"), "text/html; charset=utf-8")
			check(t, "Retry-After", got.header.Get("Retry-After"), "300")
			check(t, "Cache-Control", got.header.Get("Cache-Control"), "no-store")
			rec := w.record()
			check(t, "reason", rec.Reason, reason.Maintenance)
			check(t, "pool", rec.Pool, "app")
			check(t, "escaped", rec.Escaped(), false)
			check(t, "attempts", len(rec.Attempts), 0)
			check(t, "for whoever takes anything", ask("Accept", "*/*").body, "<p>back soon")
			if got := ask("Accept", "application/json"); !strings.Contains(got.body, `"reason":"maintenance"`) || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("as JSON: %v", got)
			}
			for what, tc := range map[string]struct {
				name, value string
				want        int
			}{
				"header": {"X-Tester", "secret", 200}, "wrong header": {"X-Tester", "secre", 503}, "empty header": {"X-Tester", "", 503},
				"cookie": {"Cookie", "a=b; tester=yes", 200}, "wrong cookie": {"Cookie", "tester=no", 503},
			} {
				check(t, what, ask(tc.name, tc.value).status, tc.want)
			}
			w.pool.SetMaintenance(nil)
			check(t, "after it", ask().status, 200)
		})
	}
}

// TestMaintenanceByOptions: the options start a maintenance. The operator's order has
// precedence.
func TestMaintenanceByOptions(t *testing.T) {
	s := setup{upstreams: specs("app:80")}
	s.pool.Maintenance = &proxy.Maintenance{}
	bubble(t, s, func(w *world) {
		w.app("app:80", ok)
		check(t, "by the options", w.get().status, 503)
		w.pool.SetMaintenance(nil)
		check(t, "by the operator", w.get().status, 200)
		w.pool.ClearMaintenance()
		check(t, "by the options again", w.get().status, 503)
		next, err := w.pool.With(balancer.Options{Name: "app", Policy: "first"}, proxy.PoolOptions{})
		if err != nil {
			t.Fatal(err)
		}
		check(t, "of the next options", next.Maintained() == nil, true)
		w.pool.SetMaintenance(&proxy.Maintenance{})
		check(t, "by the operator, whatever the options", next.Maintained() != nil, true)
	})
}
