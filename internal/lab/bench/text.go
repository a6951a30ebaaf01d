package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/goodgate/goodgate/internal/printable"
)

// Text writes the result as text.
func (r *Result) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printable.Fprintf(t, "target\t%s\n", r.Target)
	printable.Fprintf(t, "load\t%s\n", r.Load)
	printable.Fprintf(t, "requests\t%d in %.1f s, %.1f successful per second\n", r.Requests, r.Took, r.PerSecond())
	printable.Fprintf(t, "received\t%s of bodies, %s a second\n", size(float64(r.Bytes)), size(r.BytesPerSecond()))
	printable.Fprintf(t, "failed\t%d (%.3f %%)\n", r.Failed, 100*r.FailedShare())
	for _, cause := range r.causes() {
		printable.Fprintf(t, "\t%d %s\n", r.Failures[cause], cause)
	}
	l := r.Latency
	switch {
	case r.Answered() == 0:
		printable.Fprintf(t, "latency\tnot known: there were no answers\n")
	default:
		printable.Fprintf(t, "latency\tmin %.2f  mean %.2f  p50 %.2f  p90 %.2f  p99 %.2f  p99.9 %.2f  max %.2f ms, from the moment each was due%s\n",
			l.Min, l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max, ofThose(r))
	}
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		printable.Fprintf(t, "status %d\t%d\n", status, r.Statuses[status])
	}
	return t.Flush()
}

// ofThose notes that the latency does not cover all requests.
func ofThose(r *Result) string {
	if r.Unanswered == 0 {
		return ""
	}
	return fmt.Sprintf("; of the %d with an answer", r.Answered())
}

// size formats a number of bytes.
func size(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 1000 || unit == "GB" {
			if unit == "B" {
				return fmt.Sprintf("%.0f B", n)
			}
			return fmt.Sprintf("%.1f %s", n, unit)
		}
		n /= 1000
	}
	return ""
}
