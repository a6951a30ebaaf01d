package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// TestEverySymptomHasWords: what is an upstream's fault is explained.
func TestEverySymptomHasWords(t *testing.T) {
	for _, r := range reason.All() {
		if s := symptoms[r]; r.Fault() == reason.FaultUpstream && (s.text == "" || s.do == "") {
			t.Errorf("no words for %v", r)
		}
	}
}

func TestTroubles(t *testing.T) {
	minute := func(failed int, why string, status int, ms float64) Minute {
		return Minute{Attempts: 10, Failed: failed, Reasons: map[string]int{why: failed}, Status: status, MeanMS: ms}
	}
	good := Upstream{Address: "good", Available: true, Operator: "ready", Minute: Minute{Attempts: 10, MeanMS: 2}}
	for name, test := range map[string]struct {
		pool Pool
		want []string // level, upstream and a part of the text
	}{
		"nothing": {Pool{Available: 1, Upstreams: []Upstream{good}}, nil},
		"refused, hidden": {
			Pool{Available: 1, Upstreams: []Upstream{{Address: "bad", Available: true, Operator: "ready", Minute: minute(3, "connect_refused", 0, 0)}, good}},
			[]string{"warning bad 3 of 10 attempts on it in the last minute failed: it refuses connections: nothing listens at that address. Clients noticed nothing."},
		},
		"503, seen": {
			Pool{Available: 1, sum: recent{requests: 9, escaped: 2}, Upstreams: []Upstream{{Address: "bad", Available: true, Operator: "ready", Minute: minute(2, "upstream_status", 503, 1)}}},
			[]string{"error bad it answers 503 itself. 2 of 9 requests to the pool ended with an error."},
		},
		"slow": {
			Pool{Available: 2, sum: recent{requests: 9, p99: 3 * time.Second}, Upstreams: []Upstream{{Address: "slow", Available: true, Operator: "ready", Minute: Minute{Attempts: 5, MeanMS: 2900}}, good}},
			[]string{"warning slow Slow: it answers after 2.9 s on average. Of the requests to the pool one in a hundred takes 3.0 s or longer. The fastest, good, answers after 2 ms."},
		},
		"a name that is not found": {Pool{SourceError: "no such host"}, []string{"error  Its upstreams could not be looked up: no such host"}},
		"a name that is no longer found": {
			Pool{SourceError: "no such host", Available: 1, Upstreams: []Upstream{good}},
			[]string{"warning  no such host. Those known before are used."},
		},
		"overloaded": {
			Pool{Available: 1, Places: 4, InFlight: 4, Demand: Demand{Queued: 7}, sum: recent{requests: 90, overloaded: 20}, Upstreams: []Upstream{good}},
			[]string{"error  20 of 90 requests in the last minute were refused, since more come than the upstreams may have. Now 4 of 4 places are taken, and 7 wait."},
		},
		"no answer to checks": {
			Pool{Upstreams: []Upstream{{Address: "bad", Operator: "ready", Why: "its checks fail: timeout"}}},
			[]string{"error  No upstream takes requests", "warning bad It gets no requests: its checks fail: timeout."},
		},
		"drained": {Pool{Available: 1, Upstreams: []Upstream{good, {Address: "bad", Operator: "drain", Why: "drained by the operator"}}}, nil},
	} {
		test.pool.Name = "app"
		got := troubles(&Status{Pools: []Pool{test.pool}})
		if len(got) != len(test.want) {
			t.Errorf("%s: got %+v, want %q", name, got, test.want)
			continue
		}
		for i, want := range test.want {
			level, rest, _ := strings.Cut(want, " ")
			upstream, part, _ := strings.Cut(rest, " ")
			if got[i].Level != level || got[i].Upstream != upstream || !strings.Contains(got[i].Text, part) || got[i].Do == "" || got[i].Pool != "app" {
				t.Errorf("%s: got %+v, want %q", name, got[i], want)
			}
		}
	}
	s := Status{Config: ConfigState{Error: "line 3"}, Pools: []Pool{{SourceError: "x"}}}
	if got := troubles(&s); len(got) != 2 || got[0].Level != "error" || !strings.Contains(got[1].Text, "line 3") {
		t.Errorf("the worst comes first: %+v", got)
	}
}

// TestPage: the dashboard comes without a token, with nothing secret, and may
// load nothing from elsewhere.
func TestPage(t *testing.T) {
	_, s := newTest(t, Options{Token: "0123456789abcdef"})
	for _, path := range []string{"/", "/page/dashboard.js", "/page/dashboard.css", "/page/view.js", "/page/dom.js", "/page/text.js", "/page/chart.js"} {
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
