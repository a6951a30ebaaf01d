package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
)

// minuteOf returns a minute of an upstream on which attempts failed in one way.
func minuteOf(attempts, failed, escaped int, id situation.ID, status int, now time.Time, ago time.Duration) Minute {
	m := Minute{Attempts: attempts, Failed: failed, Escaped: escaped, LastFailed: now.Add(-ago), LastGood: now}
	m.seen = sightings{id: {n: failed, escaped: escaped, first: now.Add(-ago), last: now.Add(-ago), status: status}}
	return m
}

func TestTroubles(t *testing.T) {
	now := time.Date(2026, 1, 2, 21, 4, 0, 0, time.UTC)
	up := func(addr string, m Minute) Upstream {
		return Upstream{Address: addr, Available: true, Operator: "ready", state: situation.Healthy, Minute: m}
	}
	good := up("good", Minute{Attempts: 10, Answered: 10, MeanMS: 2, LastGood: now})
	back := up("bad", minuteOf(2481, 1, 0, situation.Refused, 0, now, 48*time.Second))
	back.Since = now.Add(-47 * time.Second)
	off := func(addr string) Upstream {
		return Upstream{Address: addr, Operator: "off", state: situation.SwitchedOff, OperatorSince: now.Add(-time.Minute)}
	}
	held := sightings{situation.HeldOver: {n: 1, longest: 3 * time.Second, first: now.Add(-30 * time.Second), last: now.Add(-30 * time.Second)}}
	for name, test := range map[string]struct {
		pool Pool
		want []string // level, upstream, situation and a part of the text
	}{
		"nothing": {Pool{Available: 1, Upstreams: []Upstream{good}}, nil},
		"refused now, hidden": {
			Pool{Available: 2, Upstreams: []Upstream{up("bad", minuteOf(10, 3, 0, situation.Refused, 0, now, 0)), good}},
			[]string{"warning bad connect_refused Nothing listens on bad. 3 of 10 attempts in the last minute failed this way, at 21:04:00. No client saw an error from it."},
		},
		"a completed restart": {
			Pool{Available: 2, Upstreams: []Upstream{back, good}},
			[]string{"notice bad connect_refused 1 of 2,481 attempts in the last minute failed this way, at 21:03:12. No client saw an error from it. It has been available again since 21:03:13."},
		},
		"errors count only for their upstream": {
			Pool{Available: 3, Minute: LastMinute{Sums: Sums{Requests: 3585, Escaped: 21}}, Upstreams: []Upstream{back, up("node", minuteOf(900, 21, 21, situation.AnswersError, 502, now, 0)), good}},
			[]string{"error node upstream_status 21 of 900 attempts in the last minute got this answer, at 21:04:00. Clients saw 21 errors from it.", "notice bad connect_refused No client saw an error from it."},
		},
		"held by an operator's off is not slow": {
			Pool{Available: 1, Minute: LastMinute{LongestMS: 10100, Held: 1, Sums: Sums{Requests: 4}}, seen: held, Upstreams: []Upstream{up("good", Minute{Attempts: 4, Answered: 4, MeanMS: 1.28, LongestMS: 2}), off("b")}},
			[]string{"notice b switched_off_by_operator This state began at 21:03:00. 1 of 2 upstreams in the pool can take requests.", "notice  requests_held An operator changed b at 21:03:00 (off)."},
		},
		"all off": {
			Pool{Upstreams: []Upstream{off("a"), off("b")}},
			[]string{"error  all_taken_out_by_operator Every upstream of pool app (2) is drained or switched off.", "notice a switched_off", "notice b switched_off"},
		},
		"one of 60 is slow": {
			Pool{Available: 1, Upstreams: []Upstream{up("a", Minute{Attempts: 60, Answered: 60, MeanMS: 60, Slow: 1, LongestMS: 3000})}}, nil,
		},
		"slow": {
			Pool{Available: 2, Upstreams: []Upstream{up("slow", Minute{Attempts: 5, Answered: 5, MeanMS: 2900, Slow: 5, LongestMS: 3100}), good}},
			[]string{"warning slow slow In the last minute the upstream answered 5 requests after 2.9 s on average (5 took 1.0 s or longer, the longest 3.1 s). The fastest, good, answered 10 requests after 2 ms on average."},
		},
		"overloaded": {
			Pool{Available: 1, Places: 4, InFlight: 4, Demand: Demand{Queued: 7}, Minute: LastMinute{Sums: Sums{Requests: 90, Escaped: 20}},
				seen: sightings{situation.Overloaded: {n: 20, escaped: 20, first: now, last: now}}, Upstreams: []Upstream{good}},
			[]string{"error  overloaded This affected 20 of 90 requests in the last minute, at 21:04:00. Clients saw 20 errors. Now 7 requests wait; the upstreams have 4 places in all.", "warning  queueing 7 requests wait; the upstreams have 4 places in all."},
		},
		"all fail alike": {
			Pool{Available: 2, Upstreams: []Upstream{up("a", minuteOf(10, 10, 4, situation.AnswersError, 503, now, 0)), up("b", minuteOf(10, 10, 3, situation.AnswersError, 503, now, 0))}},
			[]string{"error  all_fail_alike All 2 upstreams of pool app fail in the same way, which points to a shared cause: the upstream answers 503 itself. 20 of 20 attempts in the last minute failed, at 21:04:00. Clients saw 7 errors from them, and the others were hidden."},
		},
		"a name that is not found": {Pool{SourceError: "no such host"}, []string{"error  lookup_failed Looking up the upstreams of pool app failed: no such host."}},
		"a name that was found before": {
			Pool{SourceError: "no such host", Available: 1, Upstreams: []Upstream{good}},
			[]string{"warning  lookup_failed goodgate uses the upstreams found before (1)."},
		},
	} {
		test.pool.Name = "app"
		got := ranked(test.pool.troubles(now))
		if len(got) != len(test.want) {
			t.Errorf("%s: got %+v, want %q", name, got, test.want)
			continue
		}
		for i, want := range test.want {
			part := strings.SplitN(want, " ", 4)
			text := ""
			if len(part) == 4 {
				text = part[3]
			}
			if g := got[i]; g.Level != part[0] || g.Upstream != part[1] || !strings.HasPrefix(g.Situation, part[2]) || !strings.Contains(g.Text, text) || g.Do == "" || g.Pool != "app" {
				t.Errorf("%s: got %+v, want %q", name, g, want)
			}
		}
	}
}

// TestCertificates: the listeners' certificates are looked at before clients refuse them.
func TestCertificates(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := ranked(certificates(map[string]time.Time{
		"a.pem": now.Add(-50 * time.Hour), "b.pem": now.Add(30 * time.Hour), "c.pem": now.Add(60 * 24 * time.Hour), "d.example": time.Unix(0, 0),
	}, now))
	want := []string{"error certificate_expired a.pem expired at 2025-12-31 01:04 UTC. Browsers and other clients refuse to connect. That was 2 days ago.",
		"error certificate_missing There is no certificate for d.example yet", "warning certificate_expires b.pem expires at 2026-01-03 09:04 UTC. That is in 30 hours."}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if line := got[i].Level + " " + got[i].Situation + " " + got[i].Text; !strings.HasPrefix(line, want[i]) {
			t.Errorf("got %q, want %q", line, want[i])
		}
	}
}

// TestPage: the dashboard comes without a token, with nothing secret, and may
// load nothing from elsewhere.
func TestPage(t *testing.T) {
	_, s := newTest(t, Options{Tokens: []Token{{MainToken, "0123456789abcdef"}}})
	for _, path := range []string{"/", "/page/dashboard.js", "/page/dashboard.css", "/page/overview.js", "/page/dom.js", "/page/text.js", "/page/chart.js"} {
		code, body := call(s, "GET", path, "")
		if code != 200 || strings.Contains(body, "://") && !strings.Contains(body, "www.w3.org/2000/svg") {
			t.Errorf("%s: got %d, or something from elsewhere in\n%s", path, code, body)
		}
	}
	for path, want := range map[string]int{"/page/": 404, "/page/server.go": 404, "/v1/status": 401} {
		if code, _ := call(s, "GET", path, ""); code != want {
			t.Errorf("%s: got %d, want %d", path, code, want)
		}
	}
}
