package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestDeploy: a good version takes over, step by step, and the old one leaves.
func TestDeploy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.pool.startsIn = 3 * time.Second
		v := b.order(Order{Warm: "/warm", WarmTimes: 3})
		check(t, "stage", v.Stage, Adding)
		b.traffic(5*time.Minute, 100, usual)
		v = b.view()
		check(t, "stage", v.Stage, Done)
		check(t, "over", v.Over, true)
		check(t, "members", strings.Join(b.pool.names(), " "), "new:1 new:2")
		check(t, "warm-up requests", len(b.pool.asked), 6)
		check(t, "clients who saw a failure is known", v.Seen, 0)
		want := []string{"share 0", "+new:1", "+new:2", "share 0", "share 0.01", "share 0.05", "share 0.25", "share 0.5", "share 1",
			"drain old:1 true", "drain old:2 true", "-old:1", "drain old:1 false", "-old:2", "drain old:2 false", "all alike"}
		if got := b.pool.history; !slices.Equal(got, want) {
			t.Errorf("the pool went through %q,\nwant %q", got, want)
		}
		check(t, "changes left in the book", len(b.book.All()), 0)
		if took := v.Ended.Sub(v.Began); took < 100*time.Second || took > 4*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// TestDeployGoesBack: for any fault of a version, the pool returns to its earlier state.
func TestDeployGoesBack(t *testing.T) {
	change := func(f func(v *version)) version { v := usual; f(&v); return v }
	for name, tc := range map[string]struct {
		prepare func(b *bench)
		version version
		meddle  func(b *bench) // after 70 s
		rule    string
		text    string // a part of the verdict
		order   Order
	}{
		"never ready":                 {prepare: func(b *bench) { b.pool.startsIn = -1 }, rule: "not_ready", text: "not ready within 20s: new:1: connection refused", order: Order{ReadyWithin: "20s"}, version: usual},
		"warm-up fails":               {prepare: func(b *bench) { b.pool.cold = errFake }, rule: "warm", text: "GET /w from new:1: fake", order: Order{Warm: "/w"}, version: usual},
		"errors":                      {version: change(func(v *version) { v.fails = 1 }), rule: "fails", text: "the new version failed 3 of 3 requests"},
		"refuses":                     {version: change(func(v *version) { v.refuses = 1 }), rule: "refuses", text: "4xx"},
		"slow":                        {version: change(func(v *version) { v.median *= 10 }), rule: "slow", text: "the old version took"},
		"goes down":                   {version: usual, meddle: func(b *bench) { b.pool.set("new:2", func(m *Member) { m.Ready, m.Why = false, "exited" }) }, rule: "down", text: "new:2: exited"},
		"is taken out by an operator": {version: usual, meddle: func(b *bench) { b.pool.Stand("new:2", "", false, false, "") }, rule: "gone", text: "new:2 left the pool"},
		"answers nothing":             {version: usual, meddle: func(b *bench) { b.pool.set("new:1", func(m *Member) { m.Waiting, m.Waits = 5, 7*time.Second }) }, rule: "silent", text: "answered nothing for 7s"},
		"an operator orders it":       {version: usual, meddle: func(b *bench) { b.engine.Back(app, "bob") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				if tc.prepare != nil {
					tc.prepare(b)
				}
				b.order(tc.order)
				b.traffic(70*time.Second, 100, tc.version)
				if tc.meddle != nil {
					tc.meddle(b)
					b.traffic(2*time.Minute, 100, tc.version)
				}
				v := b.view()
				check(t, "stage", v.Stage, Back)
				check(t, "members", strings.Join(b.pool.names(), " "), "old:1 old:2")
				if b.pool.intro != nil || b.pool.drained["old:1"] || b.pool.drained["old:2"] {
					t.Error("the pool is not as it was")
				}
				check(t, "changes left in the book", len(b.book.All()), 0)
				if tc.rule == "" {
					if v.Verdict != nil {
						t.Errorf("there is a verdict: %+v", v.Verdict)
					}
					return
				}
				if v.Verdict == nil || v.Verdict.Rule != tc.rule || !strings.Contains(v.Verdict.Text, tc.text) {
					t.Errorf("verdict: got %+v, want %s with %q", v.Verdict, tc.rule, tc.text)
				}
			})
		})
	}
}

// TestDeployIgnores: ignored differences do not end a deploy.
func TestDeployIgnores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.order(Order{Ignore: []string{"slow", "refuses"}})
		other := usual
		other.median, other.refuses = 500, 0.9
		b.traffic(10*time.Minute, 100, other)
		check(t, "stage", b.view().Stage, Done)
	})
}

// TestDeployEvidence: a deploy keeps requests that the new version failed, for finding
// the cause.
func TestDeployEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.order(Order{})
		broken := usual
		broken.fails = 1
		b.traffic(time.Minute, 100, broken)
		v := b.view()
		if len(v.Failures) != 3 || v.Failures[0].Status != 500 || v.Failures[0].Client != 200 || v.Failures[0].ID == "" {
			t.Errorf("failures: %+v", v.Failures)
		}
		check(t, "clients who saw one", v.Seen, 0)
		check(t, "requests", v.Verdict.New.Requests, 3)
		if v.Verdict.Old.Requests < 100 {
			t.Errorf("requests to the old ones: %d", v.Verdict.Old.Requests)
		}
	})
}

// TestRollbackKeepsWorkingUpstreams: a rollback does not remove the only working
// upstreams.
func TestRollbackKeepsWorkingUpstreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.order(Order{Steps: []float64{100}})
		b.traffic(20*time.Second, 10, usual)
		for _, a := range []string{"old:1", "old:2"} {
			b.pool.set(a, func(m *Member) { m.Ready = false })
		}
		b.engine.Back(app, "bob")
		b.traffic(10*time.Minute, 10, usual)
		v := b.view()
		check(t, "stage", v.Stage, Returning)
		check(t, "members", strings.Join(b.pool.names(), " "), "new:1 new:2 old:1 old:2")
		check(t, "it is said", strings.Contains(v.Events[len(v.Events)-1].Text, "no old upstream can take requests"), true)
		if b.pool.drained["new:1"] {
			t.Error("the only upstream that works is drained")
		}
		b.pool.set("old:1", func(m *Member) { m.Ready = true })
		b.traffic(time.Minute, 10, usual)
		check(t, "stage", b.view().Stage, Back)
		check(t, "members", strings.Join(b.pool.names(), " "), "old:1 old:2")
	})
}

// TestDeployPromote: an operator need not wait.
func TestDeployPromote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.pool.startsIn = 5 * time.Second
		b.order(Order{StepTime: "1h", WatchFor: "1h"})
		if _, err := b.engine.Promote(app, "bob"); err == nil {
			t.Error("promoted before its upstreams were ready")
		}
		b.traffic(10*time.Second, 100, usual)
		check(t, "stage", b.view().Stage, Shifting)
		for _, want := range []Stage{Watching, Done} {
			if _, err := b.engine.Promote(app, "bob"); err != nil {
				t.Fatal(err)
			}
			b.traffic(time.Second, 100, usual)
			check(t, "stage", b.view().Stage, want)
		}
		if _, err := b.engine.Promote(app, "bob"); err == nil {
			t.Error("promoted what is over")
		}
		said := 0
		for _, e := range b.view().Events {
			if e.Text == "bob asks to promote it" {
				said++
			}
		}
		check(t, "events that say who", said, 2)
	})
}

// TestDeployDrains: requests in flight on the old upstreams get their time, and no more.
func TestDeployDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.pool.set("old:1", func(m *Member) { m.InFlight = 2 })
		b.order(Order{Steps: []float64{100}, WatchFor: "1s", DrainTimeout: "20s"})
		b.traffic(time.Minute, 10, usual)
		v := b.view()
		check(t, "stage", v.Stage, Done)
		last := v.Events[len(v.Events)-1]
		if !strings.Contains(last.Text, "2 requests still in flight after 20s") {
			t.Errorf("the last event is %q", last.Text)
		}
	})
}

// TestDeployIsKilled: whenever the process is killed, the next one brings the deploy to a
// good end.
func TestDeployIsKilled(t *testing.T) {
	broken := usual
	broken.fails = 1
	for name, tc := range map[string]struct {
		after   time.Duration
		was     Stage
		goesOn  Stage
		version version
		end     Stage
	}{
		"starting":                  {1 * time.Second, Probing, Probing, usual, Done},
		"at the first step":         {6 * time.Second, Shifting, Shifting, usual, Done},
		"at the second step":        {40 * time.Second, Shifting, Shifting, usual, Done},
		"watching":                  {110 * time.Second, Watching, Shifting, usual, Done},
		"draining":                  {155 * time.Second, Draining, Draining, usual, Done},
		"and the version is broken": {110 * time.Second, Watching, Shifting, broken, Back},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.pool.startsIn = 5 * time.Second
				b.pool.set("old:1", func(m *Member) { m.InFlight = 1 })
				b.order(Order{StepTime: "20s"})
				b.traffic(tc.after, 100, usual)
				check(t, "stage when it was killed", b.view().Stage, tc.was)
				step := b.view().Step
				b.stop()
				b.start()
				v := b.view()
				check(t, "stage afterwards", v.Stage, tc.goesOn)
				if tc.was == Shifting && v.Step != max(step-1, 1) {
					t.Errorf("it goes on with step %d, want %d", v.Step, max(step-1, 1))
				}
				check(t, "it is said", strings.Contains(v.Events[0].Text, "new process"), true)
				b.traffic(10*time.Minute, 100, tc.version)
				v = b.view()
				check(t, "stage in the end", v.Stage, tc.end)
				want := map[Stage]string{Done: "new:1 new:2", Back: "old:1 old:2"}[tc.end]
				check(t, "members", strings.Join(b.pool.names(), " "), want)
				check(t, "changes left in the book", len(b.book.All()), 0)
			})
		})
	}
}

// TestDeployRefused: an impossible deploy does not begin.
func TestDeployRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		many := slices.Repeat([]string{"http://x:1"}, maxNew+1)
		for i, tc := range []struct {
			order Order
			want  string
		}{
			{Order{Pool: "other", To: []string{"http://new:1"}}, `there is no pool "other". The only pool is app`},
			{Order{Pool: app}, "to: the URLs of the new upstreams are missing"},
			{Order{Pool: app, To: many}, "17 upstreams, the limit is 16"},
			{Order{Pool: app, To: []string{"new:1"}}, `"new:1" is no URL`},
			{Order{Pool: app, To: []string{"http://new:1", "http://new:1"}}, "new:1 is named twice"},
			{Order{Pool: app, To: []string{"http://old:1"}}, "old:1 is an upstream of pool app already"},
			{Order{Pool: app, To: []string{"http://new:1"}, Steps: []float64{50, 20, 100}}, "found 20: a step must be above 50"},
			{Order{Pool: app, To: []string{"http://new:1"}, Steps: []float64{0, 100}}, "found 0: a step must be above 0"},
			{Order{Pool: app, To: []string{"http://new:1"}, Steps: []float64{5, 50}}, "found 50: the last step must be 100 percent"},
			{Order{Pool: app, To: []string{"http://new:1"}, StepTime: "10"}, "step_time"},
			{Order{Pool: app, To: []string{"http://new:1"}, WatchFor: "-1s"}, "watch_for: -1s is not between"},
			{Order{Pool: app, To: []string{"http://new:1"}, Warm: "warm"}, `"warm" is not a path`},
			{Order{Pool: app, To: []string{"http://new:1"}, WarmTimes: 5}, `"" is not a path`},
			{Order{Pool: app, To: []string{"http://new:1"}, Ignore: []string{"slow", "all"}}, `ignore: "all" is not a rule`},
		} {
			if _, err := b.engine.Order(tc.order, ""); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%d: got %v, want %q", i, err, tc.want)
			}
		}
		b.pool.refuses = errFake
		if _, err := b.engine.Order(Order{Pool: app, To: []string{"http://new:1"}}, ""); err == nil || !strings.Contains(err.Error(), "fake") {
			t.Errorf("a pool that cannot be deployed to: got %v", err)
		}
		b.pool.refuses = nil
		v, err := b.engine.Order(Order{Pool: app, To: []string{"http://new:1"}, DryRun: true}, "")
		if err != nil || fmt.Sprint(v.Old) != "[old:1 old:2]" || len(b.book.All()) != 0 || len(b.pool.history) != 0 {
			t.Errorf("a dry run: got %+v, %v; the pool went through %q", v, err, b.pool.history)
		}
		b.order(Order{})
		if _, err := b.engine.Order(Order{Pool: app, To: []string{"http://new:9"}}, ""); err == nil || !strings.Contains(err.Error(), "is in progress") {
			t.Errorf("a second deploy: got %v", err)
		}
	})
}

// TestDeployRetries: a deploy repeats changes that fail for the moment.
func TestDeployRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.pool.stuck = errFake
		b.order(Order{})
		b.traffic(5*time.Second, 10, usual)
		v := b.view()
		check(t, "stage", v.Stage, Adding)
		check(t, "events", len(v.Events), 2)
		b.pool.mu.Lock()
		b.pool.stuck = nil
		b.pool.mu.Unlock()
		b.traffic(time.Second, 10, usual)
		check(t, "stage", b.view().Stage, Shifting)
	})
}
