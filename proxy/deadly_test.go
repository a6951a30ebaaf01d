package proxy_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// A request that ends its connection on two upstreams, as one does that crashes the
// application, does not reach a third.
func TestDeadlyRequestSparesThirdUpstream(t *testing.T) {
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
		check(t, "decision", rec.Attempts[1].Decision, reason.Deadly)
		check(t, "reason", rec.Reason, reason.ClosedBeforeResponse)
	})
}

// An upstream that closes more than once counts once: the request is not suspect for
// that, and keeps its attempts.
func TestUpstreamThatClosesTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	for _, upstreams := range []string{"a:80", "a:80 b:80"} {
		s := setup{upstreams: specs(strings.Fields(upstreams)...)}
		s.balancer.Policy = "first"
		s.pool.Retry = proxy.Retry{Attempts: 5, BudgetMin: 10, Statuses: []int{503}}
		bubble(t, s, func(w *world) {
			var asked atomic.Int32
			w.script("a:80", func(c *wire) {
				if r, _ := c.request(); r != nil && asked.Add(1) > 2 {
					c.say("HTTP/1.1 200 OK\nContent-Length: 0\n\n")
				}
			})
			w.app("b:80", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
			check(t, upstreams+": status", w.get().status, 200)
			check(t, upstreams+": asked", asked.Load(), 3)
		})
	}
}
