package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
	"github.com/goodgate/goodgate/internal/split"
)

func newSplit() *cobra.Command {
	var o admin.SplitOrder
	var bound duration
	var c *cobra.Command
	c = asking(&cobra.Command{
		Use:   "split [ROUTE [POOL=WEIGHT ...]]",
		Short: "Show or change how a route is split between pools",
		Long: `Show how routes are split between pools, how each pool performs, and the next step of
the schedule. POOL=WEIGHT changes the weights. If you give the weight of every pool of the
route, the weights are relative. Otherwise each is a percentage of the route's requests, and
the other pools share the rest in their present proportions.

A change stops the schedule. It also overrides the guard, which sends all requests to the
first pool when another pool is worse. The change lasts until --reset, until the end of
--for, or until the split changes in the configuration file.`,
		Example: `  goodgate split shop v2=25
  goodgate split shop
  goodgate split
  goodgate split shop --reset`,
		ValidArgsFunction: completing(splitRoutes),
	}, func(ctx context.Context, q *question) error {
		o.For = bound.String()
		switch {
		case len(q.args) == 0 && (o.Reset || o.For+o.Why != ""):
			return wrong(c, "split needs the argument ROUTE with --reset, --for or --why; goodgate split lists the routes")
		case len(q.args) > 1 && o.Reset:
			return wrong(c, "--reset makes the split follow the file again, and takes no weights")
		case len(q.args) == 1 && !o.Reset && o.For != "":
			return wrong(c, "--for needs new weights: add POOL=WEIGHT, such as v2=10")
		case len(q.args) == 1 && !o.Reset && o.Why != "":
			return wrong(c, "--why needs a change: add POOL=WEIGHT, such as v2=10, or --reset")
		case len(q.args) == 0:
			return showSplits(ctx, q, "/v1/splits")
		}
		path := admin.Path("/v1/splits", q.args[0])
		if len(q.args) == 1 && !o.Reset {
			return showSplit(q, func(answer *json.RawMessage) error { return q.Get(ctx, path, answer) })
		}
		var err error
		if o.Weights, err = weights(c, q.args[1:]); err != nil {
			return err
		}
		return showSplit(q, func(answer *json.RawMessage) error { return q.Post(ctx, path, o, answer) })
	})
	c.Flags().BoolVar(&o.Reset, "reset", false, "follow the file again, from the start of its schedule")
	c.Flags().StringVar(&o.Why, "why", "", "reason, for the log and the list of changes")
	c.Flags().Var(&bound, "for", "follow the file again after this time, such as 2h")
	c.MarkFlagsMutuallyExclusive("reset", "for")
	return c
}

// splitRoutes returns the names of the routes with a split.
func splitRoutes(s *admin.Status) (names []string) {
	for _, r := range s.Splits {
		names = append(names, r.Route)
	}
	return names
}

// weights parses POOL=WEIGHT; a percent sign may follow.
func weights(c *cobra.Command, args []string) (map[string]float64, error) {
	if len(args) == 0 {
		return nil, nil
	}
	all := map[string]float64{}
	for _, arg := range args {
		pool, text, ok := strings.Cut(arg, "=")
		w, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
		if !ok || err != nil {
			return nil, wrong(c, "found %q: expected POOL=WEIGHT, such as v2=10", arg)
		}
		if _, twice := all[pool]; twice {
			return nil, wrong(c, "%q: pool %s has a weight already", arg, pool)
		}
		all[pool] = w
	}
	return all, nil
}

func showSplits(ctx context.Context, q *question, path string) error {
	var answer json.RawMessage
	if err := q.Get(ctx, path, &answer); err != nil {
		return err
	}
	var list []split.Report
	return q.print(answer, &list, func() {
		for i := range list {
			printSplit(q.out, &list[i])
		}
		if len(list) == 0 {
			printable.Fprintln(q.out, "no route is split")
		}
	})
}

func showSplit(q *question, ask func(*json.RawMessage) error) error {
	var answer json.RawMessage
	if err := ask(&answer); err != nil {
		return err
	}
	var r split.Report
	return q.print(answer, &r, func() { printSplit(q.out, &r) })
}

func printSplit(out io.Writer, r *split.Report) {
	printable.Fprintf(out, "route %s: %s\n", r.Route, r.Line)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	printable.Fprintf(w, "  POOL\tSHARE\tREQUESTS\tFAILED\tLATENCY\tVERDICT\n")
	for i, side := range r.Sides {
		latency, says := "-", side.Verdict.String()
		if side.LatencyMS > 0 {
			latency = fmt.Sprintf("%.1f ms", side.LatencyMS)
		}
		if i == 0 {
			says = "-"
		}
		printable.Fprintf(w, "  %s\t%.3g %%\t%d\t%d\t%s\t%s\n", side.Pool, side.Share*100, side.Requests, side.Failed, latency, says)
	}
	w.Flush()
	for _, side := range r.Sides {
		if side.Because != "" {
			printable.Fprintf(out, "  %s\n", side.Because)
		}
	}
	if r.Standing == split.Guarded {
		printable.Fprintf(out, "  goodgate split %s --reset restarts the schedule; POOL=WEIGHT sets new weights\n", r.Route)
	}
	if n := r.Next; n != nil {
		printable.Fprintf(out, "  next: %s gets %.3g %% at %s", n.Pool, n.Share*100, n.At.Local().Format(time.TimeOnly))
		if n.Waits != "" {
			printable.Fprintf(out, "; waiting %s", n.Waits)
		}
		printable.Fprintf(out, "\n")
	}
}
