package proxy_test

import (
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// A request that ends the connection of what it reaches, as one does that
// crashes the application, is kept from the third upstream.
func TestDeadlyRequestIsKeptFromTheThird(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("a:80", "b:80", "c:80")}
	s.balancer.Policy = "first"
	s.pool.Retry = proxy.Retry{Attempts: 5, BudgetMin: 10}
	bubble(t, s, func(w *world) {
		crash := func(c *wire) { c.request() }
		w.script("a:80", crash)
		w.script("b:80", crash)
		w.script("c:80", func(*wire) { t.Error("the third upstream was reached") })
		check(t, "status", w.get().status, 502)
		rec := w.record()
		check(t, "attempts", len(rec.Attempts), 2)
		check(t, "decision", rec.Attempts[1].Decision, proxy.Deadly)
		check(t, "reason", rec.Reason, proxy.ClosedBeforeResponse)
	})
}
