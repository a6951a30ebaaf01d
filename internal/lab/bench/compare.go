package bench

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"

	"github.com/goodgate/goodgate/internal/printable"
)

// Difference compares one measure of two results.
type Difference struct {
	Name          string
	Before, After float64 // medians over the seconds
	Change        string  // "+12.50%", or "~" if it may be chance
	Evidence      string  // "p=0.002 n=28+28"
}

// Differences returns the differences between two results, and whether they are more
// than chance. The seconds of each result are its samples. A difference counts if the
// Mann-Whitney test gives a probability of less than 5 % for chance (like benchstat).
func Differences(before, after *Result) (list []Difference) {
	latency := func(value func(Latency) float64) func(*Second) float64 {
		return func(s *Second) float64 {
			if s.Sent == s.Silent {
				return math.NaN() // no answers in this second
			}
			return value(s.Latency)
		}
	}
	for _, row := range []struct {
		name  string
		value func(*Second) float64
	}{
		{"mean ms", latency(func(l Latency) float64 { return l.Mean })},
		{"p50 ms", latency(func(l Latency) float64 { return l.P50 })},
		{"p90 ms", latency(func(l Latency) float64 { return l.P90 })},
		{"p99 ms", latency(func(l Latency) float64 { return l.P99 })},
		{"max ms", latency(func(l Latency) float64 { return l.Max })},
		{"answered/s", func(s *Second) float64 { return float64(s.Sent - s.Failed) }},
		{"failed/s", func(s *Second) float64 { return float64(s.Failed) }},
	} {
		a, b := before.sample(row.value), after.sample(row.value)
		if len(a.Values) == 0 || len(b.Values) == 0 {
			list = append(list, Difference{Name: row.name, Before: math.NaN(), After: math.NaN(), Change: "~", Evidence: "no answers"})
			continue
		}
		x, y := benchmath.AssumeNothing.Summary(a, 0.95), benchmath.AssumeNothing.Summary(b, 0.95)
		c := benchmath.AssumeNothing.Compare(a, b)
		list = append(list, Difference{row.name, x.Center, y.Center, c.FormatDelta(x.Center, y.Center), c.String()})
	}
	return list
}

// Remarks returns facts that make two results hard to compare.
func Remarks(before, after *Result) (list []string) {
	const alike = 1.2
	remark := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if long, short := max(before.Took, after.Took), min(before.Took, after.Took); long > alike*short {
		remark("the runs lasted %.0f s and %.0f s: caches, garbage and connections may be in another state, and the longer has more chances of a high maximum", before.Took, after.Took)
	}
	if len(before.Seconds) < 8 || len(after.Seconds) < 8 {
		remark("%d and %d seconds are few samples: only a large difference stands out from chance", len(before.Seconds), len(after.Seconds))
	}
	if before.Target != after.Target {
		remark("the targets differ: %s and %s", before.Target, after.Target)
	}
	if rate(before) > alike*rate(after) || rate(after) > alike*rate(before) {
		remark("the loads differ: %s and %s", before.Load, after.Load)
	}
	if before.Machine != after.Machine {
		remark("the machines or programs differ: %s and %s", before.Machine, after.Machine)
	}
	return list
}

// rate returns the mean number of due requests per second.
func rate(r *Result) float64 { return float64(r.Requests) / max(r.Took, 0.001) }

func (m Machine) String() string {
	return fmt.Sprintf("%s/%s with %d CPUs, %s, goodgate %s", m.OS, m.Arch, m.CPUs, m.Go, m.Goodgate)
}

// Compare writes [Differences] and [Remarks] as text.
func Compare(w io.Writer, before, after *Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printable.Fprintf(t, "\tbefore\tafter\tchange\t\n")
	for _, d := range Differences(before, after) {
		printable.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", d.Name, figure(d.Before), figure(d.After), d.Change, d.Evidence)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range Remarks(before, after) {
		printable.Fprintln(w, "note:", r)
	}
	return nil
}

func figure(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

// sample returns one value per second, without seconds that have none, and without the
// incomplete first and last second.
func (r *Result) sample(value func(*Second) float64) *benchmath.Sample {
	seconds := r.Seconds
	if len(seconds) > 2 {
		seconds = seconds[1 : len(seconds)-1]
	}
	values := make([]float64, 0, len(seconds))
	for i := range seconds {
		if v := value(&seconds[i]); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	return benchmath.NewSample(values, &benchmath.DefaultThresholds)
}
