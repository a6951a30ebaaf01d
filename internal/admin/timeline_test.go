package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/proxy"
)

// told returns a journal's events of a pool, oldest first.
func told(j *Journal, pool string) (lines []string) {
	for _, e := range slices.Backward(j.line.of(pool, 1000)) {
		if e.Pool != "" {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Kind, e.Upstream, e.Text)))
		}
	}
	return lines
}

// TestTimeline follows two upstreams of a real pool.
func TestTimeline(t *testing.T) {
	var j *Journal
	p, err := proxy.NewPool(balancer.Options{Name: "app", Policy: "first", Checked: true, Notify: func(c balancer.Change) { j.Changed(c) }}, proxy.PoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	j = NewJournal("1.2")
	j.look(nil, j.started)
	j.started = j.started.Add(-settling)
	t.Cleanup(func() { p.Update(nil) })
	p.Update([]balancer.Spec{{Addr: "10.0.0.1:80"}, {Addr: "10.0.0.2:80"}})
	pools := []*proxy.Pool{p}
	start := time.Now()
	j.look(pools, start)
	members := p.Members()
	probe := func(i int, result balancer.Probe, err error) {
		u := members[i].Upstream
		for range 3 {
			u.ObserveProbe(result, balancer.Thresholds{Rise: 1, Fall: 1})
			j.Probed(health.Event{Upstream: u, Result: result, Err: err, Took: 4 * time.Millisecond})
		}
	}
	probe(0, balancer.Passed, nil)
	probe(1, balancer.Passed, nil)
	probe(1, balancer.Refused, errors.New("connection refused"))
	members[0].SetOperator(balancer.Drain)
	members[0].SetOperator(balancer.Off) // without a notice
	j.look(pools, time.Now())
	members[0].SetOperator(balancer.Ready)
	probe(1, balancer.Passed, nil)
	p.Update([]balancer.Spec{{Addr: "10.0.0.1:80"}, {Addr: "10.0.0.3:80"}})
	j.look(pools, time.Now())

	got := told(j, "app")
	want := []string{
		"found  2 upstreams: 10.0.0.1:80, 10.0.0.2:80",
		"down 10.0.0.2:80 The upstream's answer to its health check is not as expected",
		"drained 10.0.0.1:80 by an operator",
		"off 10.0.0.1:80 by an operator",
		"available 10.0.0.1:80 was off for",
		"available 10.0.0.2:80 was down for",
		"found  1 upstream: 10.0.0.3:80",
		"gone  1 upstream: 10.0.0.2:80",
	}
	if len(got) != len(want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("event %d: got %q, want %q", i, got[i], want[i])
		}
	}
	if since := j.line.since(balancer.Key{Pool: "app", Addr: "10.0.0.1:80"}); since.Before(start) || since.After(time.Now()) {
		t.Errorf("the first upstream is as it is since %v", since)
	}
	if own := j.line.of("no such pool", 10); len(own) != 1 || own[0].Kind != evStarted || own[0].Text != "goodgate 1.2" {
		t.Errorf("goodgate itself: %+v", own)
	}
}

// TestTimelineOfGoodgate: events of goodgate itself are on every pool's page.
func TestTimelineOfGoodgate(t *testing.T) {
	j := NewJournal("")
	j.Reloaded("SIGHUP", []string{"pools.app.policy: p2c -> random"}, nil)
	j.Reloaded("admin API", nil, nil)
	j.Reloaded("SIGHUP", nil, errors.New("line 3 is wrong"))
	j.Certificate("/etc/a.pem", nil)
	j.LookedUp("app", errors.New("no such host"))
	j.LookedUp("other", errors.New("no such host"))
	var got []string
	for _, e := range j.line.of("app", 100) {
		got = append(got, e.Kind+": "+e.Text)
	}
	want := []string{"lookup: no such host", "certificate: /etc/a.pem was reloaded", "config_failed: line 3 is wrong",
		"reload: no change (admin API)", "reload: 1 change (SIGHUP): pools.app.policy: p2c -> random", "started: goodgate"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestTimelineIsBounded: one that goes up and down for ever takes one line of each,
// and pushes out nothing of others.
// TestClosed: the timeline has the effect on the pool, also of an order that ends the
// configuration's maintenance, and of the end of that order.
func TestClosed(t *testing.T) {
	for _, c := range []struct {
		what        changes.What
		kind        changes.Kind
		value, want string
	}{
		{changes.Put, changes.Pause, `{"max":"30s"}`, "paused until 2999-01-02 03:04, by ci, why"},
		{changes.Expired, changes.Pause, `{"max":"30s"}`, "resumed expired, by ci, why"},
		{changes.Put, changes.Maintenance, `{}`, "closed until 2999-01-02 03:04, by ci, why"},
		{changes.TakenBack, changes.Maintenance, `{}`, "reopened taken back, by ci, why"},
		{changes.Put, changes.Maintenance, `{"off":true}`, "reopened until 2999-01-02 03:04, by ci, why"},
		{changes.Overruled, changes.Maintenance, `{"off":true}`, "closed overruled, by ci, why"},
	} {
		j := NewJournal("1")
		j.Closed(changes.Event{What: c.what, By: "ci", Why: "why", Change: changes.Change{
			Subject: changes.Subject{Kind: c.kind, Pool: "app"}, Value: json.RawMessage(c.value), Until: time.Date(2999, 1, 2, 3, 4, 5, 0, time.Local),
		}})
		if e := j.line.of("app", 1)[0]; e.Pool != "app" || e.Kind+" "+e.Text != c.want {
			t.Errorf("%s %s %s: got %+v, want %s", c.what, c.kind, c.value, e, c.want)
		}
	}
}

func TestTimelineIsBounded(t *testing.T) {
	var y timeline
	at := time.Unix(1_000_000_000, 0)
	y.note(Event{Time: at, Kind: evFound, Pool: "app"})
	for n := range 1000 {
		y.note(Event{Time: at.Add(time.Duration(n) * time.Second), Kind: []string{stEjected, stTrial}[n%2], Pool: "app", Upstream: "a"})
	}
	list := y.of("app", 1000)
	if len(list) != 3 || list[0].Kind != stTrial || list[0].Count != 500 || !list[0].First.Equal(at.Add(time.Second)) || list[2].Kind != evFound {
		t.Errorf("got %+v", list)
	}
	for n := range 10 * poolEvents {
		y.note(Event{Time: at.Add(time.Hour), Kind: stDown, Pool: "other", Text: strings.Repeat("x", n)})
	}
	if n := len(y.of("other", 1000)); n != poolEvents {
		t.Errorf("%d events of a pool, want %d", n, poolEvents)
	}
	if n := len(y.of("app", 1000)); n != 3 {
		t.Errorf("%d events of the first pool are left, want 3", n)
	}
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234 * time.Millisecond: "1.2s", 59600 * time.Millisecond: "1m0s", 10 * time.Minute: "10m", 10*time.Minute + 30*time.Second: "10m30s", 90 * time.Minute: "1h30m", 26 * time.Hour: "26h0m",
	} {
		if got := roughly(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

// TestStartIsQuiet: the upstreams that are found at the start are no news.
func TestStartIsQuiet(t *testing.T) {
	j := NewJournal("")
	j.look([]*proxy.Pool{newFake(t).pool}, j.started.Add(settling-time.Second))
	if lines := told(j, "app"); len(lines) > 0 {
		t.Errorf("got %q", lines)
	}
}
