package bench

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/goodgate/goodgate/internal/printable"
)

// Text writes the result for people.
func (r *Result) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printable.Fprintf(t, "target\t%s\n", r.Target)
	printable.Fprintf(t, "load\t%s\n", r.Load)
	printable.Fprintf(t, "requests\t%d in %.1f s, %.1f answered well a second\n", r.Requests, r.Took, r.PerSecond())
	printable.Fprintf(t, "failed\t%d (%.3f %%)\n", r.Failed, 100*r.FailedShare())
	l := r.Latency
	printable.Fprintf(t, "latency\tp50 %.2f  p90 %.2f  p99 %.2f  p99.9 %.2f  max %.2f ms, from the moment each was due\n", l.P50, l.P90, l.P99, l.P999, l.Max)
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		printable.Fprintf(t, "status %d\t%d\n", status, r.Statuses[status])
	}
	names := slices.SortedFunc(maps.Keys(r.Failures), func(a, b string) int { return cmp.Compare(r.Failures[b], r.Failures[a]) })
	for _, name := range names {
		printable.Fprintf(t, "failed\t%d %s\n", r.Failures[name], name)
	}
	return t.Flush()
}
