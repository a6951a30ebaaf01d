package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// traffic is the requests and answers of a pool's upstreams.
type traffic struct {
	*testing.T
	Tally
}

// answers records n answers of an upstream, one per second from a time on.
func (y *traffic) answers(addr string, n int, from, took time.Duration, status int) {
	for i := range n {
		start := time.Unix(at, 0).Add(from + time.Duration(i)*time.Second)
		y.observe(&proxy.Record{Pool: "app", Path: "/buy", Start: start, Duration: took, Upstream: addr, Status: status,
			Attempts: []proxy.Attempt{{Upstream: addr, Status: status, Took: took, Decision: reason.Answered}}}, start.Add(took).Unix())
	}
}

// late lets another upstream answer n requests first.
func (y *traffic) late(addr, other string, n int) {
	for range n {
		start := time.Unix(at, 0)
		y.observe(&proxy.Record{Pool: "app", Start: start, Duration: 70 * time.Millisecond, Upstream: other, Status: 200, Absorbed: reason.ByHedge, Attempts: []proxy.Attempt{
			{Upstream: addr, Took: 70 * time.Millisecond, Decision: reason.LostRace},
			{Upstream: other, After: 50 * time.Millisecond, Took: 20 * time.Millisecond, Status: 200, Decision: reason.Answered, Because: "late"},
		}}, at)
	}
}

// told returns the troubles of the pool after some seconds, without the evidence of
// ended ones.
func (y *traffic) told(after time.Duration, addrs ...string) []Trouble {
	now := time.Unix(at, 0).Add(after)
	v := y.minute("app", now.Unix())
	p := Pool{Name: "app", Available: len(addrs), Minute: v.minute, seen: v.seen}
	for _, a := range addrs {
		p.Upstreams = append(p.Upstreams, Upstream{Address: a, Available: true, Operator: "ready", state: situation.Healthy, Minute: v.upstreams[a]})
	}
	return ranked(p.troubles(now))
}

func (y *traffic) want(when string, got []Trouble, want ...string) {
	y.Helper()
	if len(got) != len(want) {
		y.Errorf("%s: got %+v, want %q", when, got, want)
		return
	}
	for i, t := range got {
		line := t.Level + " " + t.Upstream + " " + t.Headline + ": " + t.Text
		for part := range strings.SplitSeq(want[i], "...") {
			if !strings.Contains(line, part) {
				y.Errorf("%s: got %q, want %q", when, line, part)
			}
		}
	}
}

// TestLongPollsAreNotSlow: a pool of long polls is not slow. A pool whose requests
// become slow is.
func TestLongPollsAreNotSlow(t *testing.T) {
	const poll = 3 * time.Second
	y := &traffic{T: t}
	y.answers("a", 8, -8*time.Second, poll, 200)
	y.want("nothing is known yet", y.told(4*time.Second, "a"), "notice a The upstream answers slowly... nothing to compare this with yet")
	y = &traffic{T: t}
	y.answers("a", 200, -200*time.Second, poll, 200)
	y.answers("b", 200, -200*time.Second, poll, 200)
	y.want("long polls", y.told(0, "a", "b"))
	y = &traffic{T: t}
	y.answers("a", 200, -200*time.Second, time.Millisecond, 200)
	y.answers("a", 40, -200*time.Second, poll, 200) // a fifth of them
	y.answers("a", 8, 0, poll, 200)
	y.answers("a", 30, 0, time.Millisecond, 200)
	y.want("some polls among others", y.told(30*time.Second, "a"))
	y = &traffic{T: t}
	for _, addr := range []string{"a", "b"} {
		y.answers(addr, 100, -200*time.Second, time.Millisecond, 200)
		y.answers(addr, 10, 0, poll, 200)
	}
	y.want("all have become slow", y.told(12*time.Second, "a", "b"), "warning  All upstreams answer slowly")
	y = &traffic{T: t}
	y.answers("a", 200, -200*time.Second, poll, 200)
	y.answers("b", 200, -200*time.Second, time.Millisecond, 200)
	y.want("slower than the other, whatever its past", y.told(0, "a", "b"), "warning a The upstream answers slowly... The fastest, b,")
}

// TestSlowHiddenByHedges: an upstream is slow if other upstreams answer its requests
// first, although no average shows it.
func TestSlowHiddenByHedges(t *testing.T) {
	y := &traffic{T: t}
	y.answers("a", 20, -20*time.Second, 20*time.Millisecond, 200)
	y.answers("b", 50, -20*time.Second, 20*time.Millisecond, 200)
	y.late("a", "b", 9)
	y.want("hidden", y.told(0, "a", "b"), "warning a The upstream answers slowly... 9 of 29 attempts that were late...asked another upstream as well, which answered first... no answer after 70 ms")
	y.answers("a", 9, 10*time.Second, time.Millisecond, 200)
	y.want("fast again", y.told(20*time.Second, "a", "b"), "notice a The upstream answered slowly")
	y.late("b", "a", 20)
	y.want("chance, on both alike", y.told(0, "a", "b"))
	y = &traffic{T: t}
	y.late("a", "b", 9)
	p := Pool{Name: "app", unequal: true, Available: 2, Upstreams: []Upstream{{Address: "a", Available: true, Operator: "ready", state: situation.Healthy, Minute: y.minute("app", at).upstreams["a"]}}}
	y.want("meant to be slower", ranked(p.troubles(time.Unix(at, 0))))
}

// TestPassedOn: an application's own errors are no failures for goodgate. They are a
// trouble if they are more frequent than on the other upstreams, or than before.
func TestPassedOn(t *testing.T) {
	y := &traffic{T: t}
	y.answers("a", 50, -50*time.Second, time.Millisecond, 200)
	y.answers("b", 50, -50*time.Second, time.Millisecond, 200)
	y.answers("a", 2, -2*time.Second, time.Millisecond, 500)
	y.want("two are chance", y.told(0, "a", "b"))
	y.answers("a", 4, -4*time.Second, time.Millisecond, 500)
	y.want("many", y.told(0, "a", "b"), "warning a The application answers some requests with 500... 6 of 56 answers in the last minute had this status, all for /buy,... The other upstreams had it in 0 of 50 answers.")
	y.answers("a", 9, 10*time.Second, time.Millisecond, 200)
	y.want("over", y.told(19*time.Second, "a", "b"), "notice a The application answered some requests with 500")
	y.answers("b", 9, -9*time.Second, time.Millisecond, 500)
	y.want("on both alike, and nothing is known of before", y.told(0, "a", "b"))
	y = &traffic{T: t}
	y.answers("a", 9, 0, time.Millisecond, 501)
	y.answers("b", 30, -20*time.Second, time.Millisecond, 200)
	y.want("what it does not know", y.told(9*time.Second, "a", "b"))
	y = &traffic{T: t}
	y.answers("a", 100, -200*time.Second, time.Millisecond, 200)
	y.answers("a", 9, 0, time.Millisecond, 503)
	y.want("since a moment", y.told(9*time.Second, "a"), "warning a The application answers some requests with 503")
	y = &traffic{T: t}
	y.answers("a", 100, -200*time.Second, time.Millisecond, 500)
	y.answers("a", 9, 0, time.Millisecond, 500)
	y.want("as ever", y.told(9*time.Second, "a"))
}
