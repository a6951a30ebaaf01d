package bench

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Threshold is a limit on a result, such as p99<50ms. With it, a run can decide whether
// a build passes.
type Threshold struct {
	text  string
	value func(*Result) float64
	unit  func(float64) string
	above bool    // the limit is a minimum
	miss  float64 // tolerated share of requests without an answer; 1 = any
	bound float64
}

// measures lists the measures for thresholds.
var measures = map[string]struct {
	value func(*Result) float64
	kind  string
	miss  float64
}{
	"p50":    {func(r *Result) float64 { return r.Latency.P50 }, "time", 0.5},
	"p90":    {func(r *Result) float64 { return r.Latency.P90 }, "time", 0.1},
	"p99":    {func(r *Result) float64 { return r.Latency.P99 }, "time", 0.01},
	"p99.9":  {func(r *Result) float64 { return r.Latency.P999 }, "time", 0.001},
	"max":    {func(r *Result) float64 { return r.Latency.Max }, "time", 0},
	"mean":   {func(r *Result) float64 { return r.Latency.Mean }, "time", 0},
	"failed": {func(r *Result) float64 { return 100 * r.FailedShare() }, "share", 1},
	"rate":   {(*Result).PerSecond, "rate", 1},
}

// ParseThreshold parses p50, p90, p99, p99.9, max, mean <duration, failed <share or
// rate >number.
func ParseThreshold(text string) (Threshold, error) {
	t := Threshold{text: text}
	i := strings.IndexAny(text, "<>")
	if i < 0 {
		return t, fmt.Errorf("--fail-if-not %q: expected a bound such as p99<50ms, failed<0.1%% or rate>1000", text)
	}
	m, ok := measures[strings.TrimSpace(text[:i])]
	if !ok {
		return t, fmt.Errorf("--fail-if-not %q: %q is not p50, p90, p99, p99.9, max, mean, failed or rate", text, strings.TrimSpace(text[:i]))
	}
	t.value, t.above, t.miss = m.value, text[i] == '>', m.miss
	bound := strings.TrimSpace(text[i+1:])
	switch m.kind {
	case "time":
		d, err := time.ParseDuration(bound)
		if err != nil {
			return t, fmt.Errorf("--fail-if-not %q: %q is not a duration such as 50ms", text, bound)
		}
		t.bound = float64(d) / float64(time.Millisecond)
		t.unit = func(v float64) string { return fmt.Sprintf("%.2fms", v) }
		return t, nil
	case "share":
		number, ok := strings.CutSuffix(bound, "%")
		v, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil {
			return t, fmt.Errorf("--fail-if-not %q: %q is not a share such as 0.1%%", text, bound)
		}
		t.bound, t.unit = v, func(v float64) string { return fmt.Sprintf("%.3f%%", v) }
		return t, nil
	}
	v, err := strconv.ParseFloat(bound, 64)
	if err != nil {
		return t, fmt.Errorf("--fail-if-not %q: %q is not a number", text, bound)
	}
	t.bound, t.unit = v, func(v float64) string { return fmt.Sprintf("%.1f", v) }
	return t, nil
}

// Check returns an error if the result violates the limit. A request without an answer
// counts as an infinitely slow one.
func (t Threshold) Check(r *Result) error {
	if missing := float64(r.Unanswered) / float64(max(r.Requests, 1)); missing > t.miss {
		return fmt.Errorf("--fail-if-not %s: %.3f%% of the requests got no answer", t.text, 100*missing)
	}
	v := t.value(r)
	if t.above && v > t.bound || !t.above && v < t.bound {
		return nil
	}
	return fmt.Errorf("--fail-if-not %s: measured %s", t.text, t.unit(v))
}
