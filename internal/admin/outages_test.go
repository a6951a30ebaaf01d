package admin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// outage is a pool of one upstream whose last minute some requests have made.
func outage(inFlight int, records ...*proxy.Record) []Trouble {
	now := time.Unix(at, 0)
	y := new(Tally)
	for _, r := range records {
		r.Pool, r.Start = "app", now.Add(-r.Duration)
		y.observe(r, at)
	}
	v := y.minute("app", at)
	u := Upstream{Address: "a", Available: true, Operator: "ready", state: situation.Healthy, InFlight: inFlight, Minute: v.upstreams["a"]}
	p := Pool{Name: "app", Available: 1, InFlight: inFlight, Minute: v.minute, seen: v.seen, Upstreams: []Upstream{u}}
	return ranked(p.troubles(now))
}

// several returns copies of a record.
func several(n int, r proxy.Record) (list []*proxy.Record) {
	for range n {
		c := r
		list = append(list, &c)
	}
	return list
}

// closed is a request that an upstream closed the connection on at each of its attempts.
func closed(attempts int, last reason.Decision) proxy.Record {
	a := proxy.Attempt{Upstream: "a", Reason: reason.ClosedBeforeResponse, Err: errors.New("EOF"), Decision: reason.Retried}
	r := proxy.Record{Reason: reason.ClosedBeforeResponse, Status: 502, Upstream: "a"}
	for range attempts {
		r.Attempts = append(r.Attempts, a)
	}
	r.Attempts[attempts-1].Decision = last
	return r
}

// TestAttemptsOfFailedRequestsAreNotHidden: failed attempts of a request that finally
// failed do not count as hidden.
func TestAttemptsOfFailedRequestsAreNotHidden(t *testing.T) {
	ok := proxy.Record{Status: 200, Attempts: []proxy.Attempt{{Upstream: "a", Status: 200}}}
	saved := closed(2, reason.Answered)
	saved.Reason, saved.Status, saved.Absorbed, saved.Hidden = reason.None, 200, reason.ByRetry, reason.ClosedBeforeResponse
	saved.Attempts[1] = proxy.Attempt{Upstream: "a", Status: 200}
	failed := several(4, closed(3, reason.NoAttemptsLeft))
	for want, records := range map[string][]*proxy.Record{
		"Clients saw 4 errors from it; the other attempts were for the same requests.":                                append(failed[:4:4], &ok),
		"Clients saw 4 errors from it; of the other attempts, 1 was hidden, and the rest were for the same requests.": append(failed[:4:4], &ok, &saved),
		"Clients saw 1 error from it, and the others were hidden.":                                                    append(several(1, closed(1, reason.NotSafe)), &saved),
	} {
		all := outage(0, records...)
		if len(all) != 1 || !strings.Contains(all[0].Text, want) {
			t.Errorf("want %q, got %+v", want, all)
		}
	}
}

// TestCauseBeforeConsequence: that retries stopped comes after why requests fail.
func TestCauseBeforeConsequence(t *testing.T) {
	all := outage(0, several(9, closed(2, reason.BudgetSpent))...)
	if len(all) != 2 || all[0].Upstream != "a" || all[1].Situation != string(situation.RetriesStopped) {
		t.Errorf("got %+v", all)
	}
}

// TestClosesEveryConnection: one that never answered most likely speaks another protocol.
func TestClosesEveryConnection(t *testing.T) {
	ok := &proxy.Record{Status: 200, Attempts: []proxy.Attempt{{Upstream: "a", Status: 200}}}
	never := several(5, closed(1, reason.NotSafe))
	for id, records := range map[situation.ID][]*proxy.Record{
		situation.ClosesAll:   never,
		situation.ClosedEarly: append(never[:4:4], ok, ok),
	} {
		if all := outage(0, records...); len(all) != 1 || all[0].Situation != string(id) || all[0].Reason != "closed_before_response" || all[0].Level != "error" {
			t.Errorf("%s: got %+v", id, all)
		}
	}
	if all := outage(0, never[:4]...); len(all) != 1 || all[0].Situation != string(situation.ClosedEarly) {
		t.Errorf("of four attempts: %+v", all)
	}
}

// TestClientsLeave: a pool that answers later than its clients wait.
func TestClientsLeave(t *testing.T) {
	left := proxy.Record{Reason: reason.ClientGone, Duration: 10 * time.Second, Attempts: []proxy.Attempt{{Upstream: "a", Reason: reason.ClientGone, Decision: reason.ClientsFault}}}
	begun, held := left, left
	held.Held, held.Attempts = 10*time.Second, nil
	begun.Attempts = []proxy.Attempt{{Upstream: "a", Status: 200, Decision: reason.Answered}}
	ok := proxy.Record{Status: 200, Attempts: []proxy.Attempt{{Upstream: "a", Status: 200}}}
	for name, test := range map[string]struct {
		records []*proxy.Record
		level   string
	}{
		"most leave":            {append(several(30, left), several(10, ok)...), "error"},
		"a quarter leaves":      {append(several(10, left), several(30, ok)...), "warning"},
		"one in ten leaves":     {append(several(10, left), several(90, ok)...), ""},
		"few leave":             {several(9, left), ""},
		"they leave a stream":   {several(30, begun), ""},
		"they leave while held": {several(30, held), ""},
		"no client leaves":      {several(30, ok), ""},
	} {
		all := outage(2000, test.records...)
		switch {
		case len(all) == 0 && test.level == "":
		case len(all) != 1 || all[0].Level != test.level || all[0].Situation != string(situation.ClientsLeave) || all[0].Reason != "client_gone" ||
			!strings.Contains(all[0].Text, "The longest wait was 10 s. 2,000 requests are in flight.") || !strings.Contains(all[0].Do, "max_in_flight"):
			t.Errorf("%s: got %+v", name, all)
		}
	}
}

// TestSlowUnderLoad: the number of requests in flight distinguishes a slow upstream from
// an overloaded one.
func TestSlowUnderLoad(t *testing.T) {
	late := proxy.Record{Status: 200, Duration: 5 * time.Second, Attempts: []proxy.Attempt{{Upstream: "a", Status: 200, Took: 5 * time.Second}}}
	for inFlight, want := range map[int]bool{2000: true, 3: false} {
		all := outage(inFlight, several(20, late)...)
		if len(all) != 1 || all[0].Situation != string(situation.Slow) || strings.Contains(all[0].Text, "It has 2,000 requests in flight.") != want || !strings.Contains(all[0].Do, "concurrency.adaptive") {
			t.Errorf("%d in flight: %+v", inFlight, all)
		}
	}
}

// TestClientsWait: there is a trouble while a listener has as many clients as it may, and
// afterwards one in the past tense.
func TestClientsWait(t *testing.T) {
	now := time.Unix(at, 0)
	for name, test := range map[string]struct {
		crowd Crowd
		want  string // level, headline and a part of the text
	}{
		"a moment": {Crowd{Clients: 20, Waits: true, Since: now, Last: now}, "warning New clients wait to be accepted The listeners together may have 20 client connections at once, and all of them are in use."},
		"for long": {Crowd{Listener: ":80", Clients: 5, Waits: true, Since: now.Add(-time.Hour), Last: now.Add(-time.Hour)}, "error New clients wait to be accepted Listener :80 may have 5 client connections"},
		"lately":   {Crowd{Clients: 20, Since: now.Add(-50 * time.Second), Last: now.Add(-20 * time.Second)}, "notice New clients waited to be accepted The listeners together may have 20 client connections at once, and all of them were in use. The last time was"},
		"long ago": {Crowd{Clients: 20, Last: now.Add(-2 * time.Minute)}, ""},
	} {
		f, s := newTest(t, Options{})
		f.crowds = []Crowd{test.crowd}
		got := ""
		if all := ranked(s.ownTroubles(&Status{Now: now})); len(all) == 1 {
			got = all[0].Level + " " + all[0].Headline + " " + all[0].Text
		}
		if !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestWaitEndsWhenUpstreamReturns: the trouble of requests waiting in vain ends as soon
// as an upstream is back.
func TestWaitEndsWhenUpstreamReturns(t *testing.T) {
	now := time.Unix(at, 0)
	for since, over := range map[time.Duration]bool{-time.Second: true, -time.Minute: false} {
		p := Pool{Name: "app", Available: 1, seen: sightings{situation.HoldExpired: {n: 3, escaped: 3, first: now.Add(-9 * time.Second), last: now.Add(-3 * time.Second)}},
			Upstreams: []Upstream{{Address: "a", Available: true, Operator: "ready", state: situation.Healthy, Since: now.Add(since)}}}
		want := map[bool]string{true: "warning", false: "error"}[over]
		if all := ranked(p.troubles(now)); len(all) != 1 || all[0].Over != over || all[0].Level != want {
			t.Errorf("%v: got %+v", since, all)
		}
	}
}
