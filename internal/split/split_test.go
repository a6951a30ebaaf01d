package split

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/verdict"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

var begin = time.Unix(1_700_000_000, 0)

// lab drives a split with its own clock.
type lab struct {
	*Split
	t   *testing.T
	now time.Time
	r   *rand.Rand
	all []Order
}

func newLab(t *testing.T, o Options) *lab {
	o.Route = "shop"
	if o.Pools == nil {
		o.Pools, o.Weights = []string{"v1", "v2"}, []float64{95, 5}
	}
	if o.Tolerate == (verdict.Options{}) {
		o.Tolerate = verdict.Options{Errors: .005, Latency: .25}
	}
	return &lab{Split: New(o, begin), t: t, now: begin, r: rand.New(rand.NewPCG(3, 4))}
}

// run serves 100 requests per second for a time, lets some fail on the second pool, and
// follows the orders.
func (l *lab) run(d time.Duration, fails float64, slower float64) {
	for end := l.now.Add(d); l.now.Before(end); l.now = l.now.Add(time.Second) {
		for range 100 {
			side, status, took := 1, 200, time.Duration(10e6*(.5+l.r.ExpFloat64()))
			weights := l.live.Get()
			if l.r.Float64() < weights[1]/sum(weights) {
				side, took = 2, time.Duration(float64(took)*max(slower, 1))
				if l.r.Float64() < fails {
					status = 500
				}
			}
			l.Observe(&proxy.Record{Start: l.now, Duration: took, Status: status, Split: proxy.SplitChoice{Side: int32(side)},
				Attempts: []proxy.Attempt{{Status: status, Took: took}}})
		}
		if o := l.Tick(l.now); o != nil {
			l.all = append(l.all, *o)
			if err := l.Apply(o); err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

func (l *lab) standing() string {
	r := l.Report(l.now)
	return fmt.Sprintf("%s %.3g/%.3g", r.Standing, r.Sides[0].Share*100, r.Sides[1].Share*100)
}

func (l *lab) want(what, standing string) {
	l.t.Helper()
	if got := l.standing(); got != standing {
		l.t.Errorf("%s: got %s, want %s; %s", what, got, standing, l.Report(l.now).Line)
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]struct {
		fails, slower float64
		why           string
	}{
		"errors":  {.05, 1, "v2 fails more often than v1: "},
		"latency": {0, 3, "v2 is slower than v1: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, Options{Guard: true})
			l.run(time.Minute, 0, 1)
			l.want("good", "declared 95/5")
			l.run(2*time.Minute, bad.fails, bad.slower)
			l.want("bad", "guarded 100/0")
			r := l.Report(l.now)
			if len(l.all) != 1 || l.all[0].By != ByGuard || !strings.HasPrefix(r.Why, bad.why) || !strings.Contains(r.Line, "the guard sent all requests back to v1: "+bad.why) {
				t.Errorf("orders %+v, %s", l.all, r.Line)
			}
			l.run(10*time.Minute, 0, 1)
			l.want("stays", "guarded 100/0")
			l.Apply(nil)
			l.want("reset", "declared 95/5")
			l.run(time.Minute, 0, 1)
			l.want("begins anew", "declared 95/5")
		})
	}
}

// TestFigures: shares in texts are short, and have no exponent.
func TestFigures(t *testing.T) {
	t.Parallel()
	l := newLab(t, Options{Guard: true, Tolerate: verdict.Options{Errors: .005, Latency: .07}})
	l.run(time.Minute, 0, 100)
	for text, want := range map[string]string{
		parts(12, 12, "answers"): "12 of 12 answers (100 %)",
		parts(1, 12, "answers"):  "1 of 12 answers (8.33 %)",
		parts(0, 0, "answers"):   "0 of 0 answers (0 %)",
		l.Report(l.now).Why:      "by more than 7 %;",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q: want %q in it", text, want)
		}
	}
	l = newLab(t, Options{Schedule: []Step{{time.Second, 1, .07}}})
	l.run(3*time.Second, 0, 1)
	if r := l.Report(l.now); !strings.Contains(r.Why, "v2 gets 7 %") {
		t.Errorf("step: %q", r.Why)
	}
}

// TestWithoutGuard: the verdict is shown, and nothing is done.
func TestWithoutGuard(t *testing.T) {
	t.Parallel()
	l := newLab(t, Options{})
	l.run(3*time.Minute, .05, 1)
	l.want("bad", "declared 95/5")
	if side := l.Report(l.now).Sides[1]; side.Verdict != verdict.Worse || !strings.HasPrefix(side.Because, "v2 fails more") || side.Failed == 0 || side.LatencyMS < 5 {
		t.Errorf("got %+v", side)
	}
	l = newLab(t, Options{})
	l.run(20*time.Minute, 0, 1)
	if side := l.Report(l.now).Sides[1]; side.Verdict != verdict.Same {
		t.Errorf("after 20 good minutes: %+v", side)
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	steps := []Step{{10 * time.Minute, 1, .25}, {20 * time.Minute, 1, 1}}
	l := newLab(t, Options{Guard: true, Enough: 100, Schedule: steps})
	if n := l.Report(l.now).Next; n == nil || n.Pool != "v2" || n.Share != .25 || !n.At.Equal(begin.Add(10*time.Minute)) {
		t.Errorf("next: %+v", n)
	}
	l.run(9*time.Minute, 0, 1)
	l.want("before", "declared 95/5")
	l.run(2*time.Minute, 0, 1)
	l.want("first step", "stepped 75/25")
	l.run(21*time.Minute, 0, 1)
	l.want("last step", "stepped 0/100")
	if l.Report(l.now).Next != nil {
		t.Error("there is a step after the last")
	}
	for _, o := range l.all {
		again := newLab(t, Options{Guard: true, Schedule: steps})
		again.Apply(&o)
		again.now = o.At
		if want := slices.IndexFunc(l.all, func(p Order) bool { return p.Why == o.Why }) + 1; again.step != want {
			t.Errorf("after a restart, %v is step %d, want %d", o.Weights, again.step, want)
		}
	}

	ordered := newLab(t, Options{Schedule: steps})
	ordered.Apply(&Order{Weights: map[string]float64{"v1": 90, "v2": 10}, By: "eve", At: begin})
	ordered.run(time.Hour, 0, 1)
	ordered.want("an order stops the schedule", "ordered 90/10")

	few := newLab(t, Options{Guard: true, Enough: 1_000_000, Schedule: steps})
	few.run(15*time.Minute, 0, 1)
	few.want("too few requests", "declared 95/5")
	if n := few.Report(few.now).Next; n == nil || n.Waits == "" {
		t.Errorf("next: %+v", n)
	}

	bad := newLab(t, Options{Schedule: steps})
	bad.run(15*time.Minute, .05, 1)
	bad.want("no step while one is worse", "declared 95/5")
}

// TestNoEvidence has requests without information about a side.
func TestNoEvidence(t *testing.T) {
	t.Parallel()
	l := newLab(t, Options{Guard: true})
	for _, r := range []proxy.Record{
		{Status: 500, Split: proxy.SplitChoice{Side: 2, Chosen: true}},
		{Status: 499, Reason: reason.ClientGone, Split: proxy.SplitChoice{Side: 2}},
		{Status: 503, Reason: reason.Maintenance, Split: proxy.SplitChoice{Side: 2}},
		{Status: 503, Reason: reason.Paused, Split: proxy.SplitChoice{Side: 2}},
		{Status: 500, Split: proxy.SplitChoice{Side: 7}},
		{Status: 500},
	} {
		l.Observe(&r)
	}
	for _, side := range l.Report(l.now).Sides {
		if side.Requests != 0 {
			t.Errorf("counted: %+v", side)
		}
	}
	for _, r := range []proxy.Record{
		{Status: 200, Fallback: "v1", Split: proxy.SplitChoice{Side: 2}},
		{Status: 200, Absorbed: reason.ByStale, Split: proxy.SplitChoice{Side: 2}},
		{Status: 200, Split: proxy.SplitChoice{Side: 2, Spilled: true}},
		{Status: 200, Reason: reason.ResponseTruncated, Split: proxy.SplitChoice{Side: 2}},
		{Status: 503, Split: proxy.SplitChoice{Side: 2}},
	} {
		l.Observe(&r)
	}
	if side := l.Report(l.now).Sides[1]; side.Requests != 5 || side.Failed != 5 {
		t.Errorf("what was hidden from clients: %+v", side)
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	three := Options{Pools: []string{"a", "b", "c"}, Weights: []float64{60, 30, 10}}
	for _, tc := range []struct {
		o     Options
		named map[string]float64
		want  map[string]float64 // nil = refused
	}{
		{Options{}, map[string]float64{"v2": 10}, map[string]float64{"v1": 90, "v2": 10}},
		{Options{}, map[string]float64{"v2": 0}, map[string]float64{"v1": 100, "v2": 0}},
		{Options{}, map[string]float64{"v2": 100}, map[string]float64{"v1": 0, "v2": 100}},
		{Options{}, map[string]float64{"v1": 3, "v2": 1}, map[string]float64{"v1": 3, "v2": 1}},
		{three, map[string]float64{"c": 40}, map[string]float64{"a": 40, "b": 20, "c": 40}},
		{three, map[string]float64{"b": 0}, map[string]float64{"a": 600. / 7, "b": 0, "c": 100. / 7}},
		{Options{}, map[string]float64{"v2": 101}, nil},
		{Options{}, map[string]float64{"v2": -1}, nil},
		{Options{}, map[string]float64{"v3": 1}, nil},
		{Options{}, map[string]float64{"v1": 0, "v2": 0}, nil},
		{Options{}, map[string]float64{}, nil},
	} {
		got, err := newLab(t, tc.o).Full(tc.named)
		near := func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
		if (err != nil) != (tc.want == nil) || err != nil && !errors.Is(err, ErrWeights) || err == nil && !maps.EqualFunc(got, tc.want, near) {
			t.Errorf("%v: got %v, %v; want %v", tc.named, got, err, tc.want)
		}
	}
}
