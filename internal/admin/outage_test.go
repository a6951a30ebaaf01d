package admin

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// TestUnresolvedOnce: a name that does not resolve is one trouble, and says which name.
func TestUnresolvedOnce(t *testing.T) {
	now := time.Unix(at, 0)
	err := &net.DNSError{Name: "app.test", Err: "no such host", IsNotFound: true}
	y := new(Tally)
	r := proxy.Record{Pool: "app", Start: now, Reason: reason.DNSError, Status: 502, Err: err}
	y.observe(&r, at)
	v := y.minute("app", at)
	p := Pool{Name: "app", SourceError: err.Error(), missing: reason.DNSError, Minute: v.minute, seen: v.seen}
	all := ranked(p.troubles(now))
	if len(all) != 1 || all[0].Situation != string(situation.LookupUnknown) || all[0].Level != "error" || !strings.Contains(all[0].Text, "1 of 1 request in the last minute failed because of this") {
		t.Errorf("while it does not resolve: %+v", all)
	}
	p.SourceError, p.Available, p.answered = "", 1, true
	p.Upstreams = []Upstream{{Address: "10.0.0.1:80", Name: "app.test", Available: true, Operator: "ready", state: situation.Healthy}}
	all = ranked(p.troubles(now.Add(20 * time.Second)))
	if len(all) != 1 || !all[0].Over || !strings.Contains(all[0].Text, "found no address for app.test.") {
		t.Errorf("once it resolves again: %+v", all)
	}
	if story := explain(&r); !slices.ContainsFunc(story, func(s string) bool { return strings.Contains(s, "found no address for app.test.") }) {
		t.Errorf("why: %q", story)
	}
}

// TestWaitIsOver: no advice asks for an upstream that has already returned.
func TestWaitIsOver(t *testing.T) {
	now := time.Unix(at, 0)
	y := new(Tally)
	y.observe(&proxy.Record{Pool: "app", Start: now, Reason: reason.HoldExpired, Status: 503}, at)
	v := y.minute("app", at+2)
	p := Pool{Name: "app", Available: 1, Minute: v.minute, seen: v.seen, Upstreams: []Upstream{{Address: "a", Available: true, Operator: "ready", state: situation.Healthy, Since: now.Add(time.Second)}}}
	all := ranked(p.troubles(now.Add(2 * time.Second)))
	if len(all) != 1 || !all[0].Over || all[0].Level != "warning" || all[0].Headline != "Requests waited for an upstream and failed" {
		t.Errorf("got %+v", all)
	}
}

// TestDownIsNotFlapping: if an upstream came and went, and now stays away, the trouble is
// its present state.
func TestDownIsNotFlapping(t *testing.T) {
	now := time.Unix(at, 0)
	refused := &health.Error{Reason: reason.ConnectRefused, Err: net.ErrClosed}
	pool := func(others int, ago time.Duration) Pool {
		u := Upstream{Address: "a", Operator: "ready", state: situation.Refused, flips: manyFlips, Since: now.Add(-ago), Check: Check{At: now, Since: now.Add(-ago), err: refused}}
		p := Pool{Name: "app", Available: others, Upstreams: []Upstream{u}}
		for range others {
			p.Upstreams = append(p.Upstreams, Upstream{Address: "b", Available: true, Operator: "ready", state: situation.Healthy})
		}
		return p
	}
	for name, c := range map[string]struct {
		pool Pool
		want string
	}{
		"a moment ago":         {pool(1, time.Second), "The upstream is flapping"},
		"a minute ago":         {pool(1, time.Minute), "The upstream refuses connections"},
		"and no other is left": {pool(0, time.Second), "The upstream refuses connections"},
	} {
		all := ranked(c.pool.troubles(now))
		i := slices.IndexFunc(all, func(t Trouble) bool { return t.Upstream == "a" })
		if i < 0 || all[i].Headline != c.want {
			t.Errorf("%s: got %+v, want %q", name, all, c.want)
		}
	}
}
