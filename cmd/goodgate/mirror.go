package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

func newMirror() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "mirror [ROUTE]",
		Short: "Compare the responses of mirrors with the responses to clients",
		Example: `  goodgate mirror
  goodgate mirror shop`,
		Args: cobra.MaximumNArgs(1),
	}, func(ctx context.Context, q *question) error {
		var answer json.RawMessage
		if len(q.args) == 0 {
			if err := q.Get(ctx, "/v1/mirrors", &answer); err != nil {
				return err
			}
			var list []admin.Mirror
			return q.print(answer, &list, func() { printMirrors(q.out, list) })
		}
		if err := q.Get(ctx, admin.Path("/v1/mirrors", q.args[0]), &answer); err != nil {
			return err
		}
		var m admin.Mirror
		return q.print(answer, &m, func() { printMirrors(q.out, []admin.Mirror{m}) })
	})
}

func printMirrors(out io.Writer, list []admin.Mirror) {
	if len(list) == 0 {
		printable.Fprintln(out, "no route has a mirror")
	}
	for i := range list {
		printMirror(out, &list[i])
	}
}

func printMirror(out io.Writer, m *admin.Mirror) {
	printable.Fprintf(out, "route %s, %.3g %% to pool %s: %s mirrored; %d same, %d different, %d failed\n",
		m.Route, m.Share*100, m.Pool, count(m.Sent, "request"), m.Same, m.Different, m.Failed)
	if m.MirrorMS > 0 {
		printable.Fprintf(out, "  latency: %.1f ms; for clients %.1f ms\n", m.MirrorMS, m.MainMS)
	}
	for _, by := range slices.Sorted(maps.Keys(m.By)) {
		printable.Fprintf(out, "  different in %s: %d\n", by, m.By[by])
	}
	if m.Uncertain > 0 {
		printable.Fprintf(out, "  bodies too large to compare: %d\n", m.Uncertain)
	}
	for _, why := range slices.Sorted(maps.Keys(m.Dropped)) {
		printable.Fprintf(out, "  dropped, %s: %d\n", why, m.Dropped[why])
	}
	for _, s := range m.Samples {
		printable.Fprintf(out, "  %s %s %s %s: %s\n", s.Time.Local().Format(time.TimeOnly), s.ID, s.Method, s.Path, s.Says)
	}
}
