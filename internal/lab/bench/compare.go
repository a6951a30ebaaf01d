package bench

import (
	"io"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"

	"github.com/goodgate/goodgate/internal/printable"
)

// Compare writes how two results differ, and whether by more than chance: the
// seconds of each are its samples, and a difference counts when the
// Mann-Whitney test gives it less than 5 % to be chance (as benchstat does).
func Compare(w io.Writer, before, after *Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printable.Fprintln(t, "\tbefore\tafter\tchange\t")
	rows := []struct {
		name  string
		value func(*Second) float64
	}{
		{"p50 ms", func(s *Second) float64 { return s.Latency.P50 }},
		{"p99 ms", func(s *Second) float64 { return s.Latency.P99 }},
		{"max ms", func(s *Second) float64 { return s.Latency.Max }},
		{"answered/s", func(s *Second) float64 { return float64(s.Sent - s.Failed) }},
		{"failed/s", func(s *Second) float64 { return float64(s.Failed) }},
	}
	for _, row := range rows {
		a, b := before.sample(row.value), after.sample(row.value)
		x, y := benchmath.AssumeNothing.Summary(a, 0.95), benchmath.AssumeNothing.Summary(b, 0.95)
		c := benchmath.AssumeNothing.Compare(a, b)
		printable.Fprintf(t, "%s\t%.2f\t%.2f\t%s\t%s\n", row.name, x.Center, y.Center, c.FormatDelta(x.Center, y.Center), c)
	}
	return t.Flush()
}

// sample returns a value of each second, but for the first and the last, which
// are not whole.
func (r *Result) sample(value func(*Second) float64) *benchmath.Sample {
	seconds := r.Seconds
	if len(seconds) > 2 {
		seconds = seconds[1 : len(seconds)-1]
	}
	values := make([]float64, len(seconds))
	for i := range seconds {
		values[i] = value(&seconds[i])
	}
	return benchmath.NewSample(values, &benchmath.DefaultThresholds)
}
