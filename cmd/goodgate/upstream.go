package main

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/printable"
)

func newUpstream() *cobra.Command {
	c := &cobra.Command{
		Use:   "upstream",
		Short: "Add, remove and change upstreams of a running goodgate",
		Long: `Add, remove and change upstreams of a running goodgate. These changes survive a
restart if state.file is set, as it is under systemd. "goodgate changes" lists and
undoes them.`,
	}
	c.AddCommand(newUpstreamAdd(), newUpstreamRemove(), newUpstreamSet())
	return c
}

// terms are the flags that every change has.
type terms struct {
	why   string
	lasts duration
}

func (t *terms) flags(c *cobra.Command) {
	c.Flags().StringVar(&t.why, "why", "", "`TEXT` that gives the reason, for the log and the status")
	c.Flags().Var(&t.lasts, "for", "undo the change automatically after this time, such as 2h")
}

func newUpstreamAdd() *cobra.Command {
	var t terms
	var entry struct {
		Weight      int `json:"weight,omitempty"`
		Tier        int `json:"tier,omitempty"`
		MaxInFlight int `json:"max_in_flight,omitempty"`
	}
	c := asking(&cobra.Command{
		Use:   "add POOL ADDRESS",
		Short: "Add an upstream to a pool",
		Long: `Add an upstream to a pool, in addition to the upstreams of its configuration.

ADDRESS is host:port, http://host:port, https://host:port or unix:/path.sock. goodgate
looks up a host name as it does for the configuration, and adds all its addresses.`,
		Example: "  goodgate upstream add app 10.0.0.7:3000 --for 2h --why \"load test\"",
		Args:    cobra.ExactArgs(2), ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		value, err := json.Marshal(entry)
		if err != nil {
			return err
		}
		w := admin.Wish{Kind: changes.Added, Pool: q.args[0], Upstream: q.args[1], Value: value, Why: t.why, For: t.lasts.String()}
		var answer json.RawMessage
		if err := q.Post(ctx, "/v1/changes", w, &answer); err != nil {
			return err
		}
		return q.printOrdered(answer, "pool "+q.args[0]+" has "+q.args[1]+" again, as in the configuration")
	})
	t.flags(c)
	c.Flags().Var(number[int]{&entry.Weight, 1, 1000, strconv.Atoi}, "weight", "share of the load, relative to the others (default 1)")
	c.Flags().Var(number[int]{&entry.Tier, 0, 9, strconv.Atoi}, "tier", "failover tier: used when the lower tiers have too few available upstreams (default 0)")
	c.Flags().Var(number[int]{&entry.MaxInFlight, 0, 1_000_000, strconv.Atoi}, "max-in-flight", "highest number of requests in flight to the upstream (default 0, no limit)")
	return c
}

func newUpstreamRemove() *cobra.Command {
	var t terms
	var yes bool
	w := admin.Wish{Kind: changes.Removed}
	c := asking(&cobra.Command{
		Use:   "remove UPSTREAM",
		Short: "Take an upstream out of its pool; requests in flight finish",
		Long: `Take an upstream out of its pool: an upstream of the configuration, or one that an
operator added. Requests in flight finish.
` + upstreamForms + lastUpstream,
		Example: "  goodgate upstream remove app/10.0.0.7:3000",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: only(completing(func(s *admin.Status) []string { return upstreamsNot(s, "") })),
	}, func(ctx context.Context, q *question) error {
		w.Upstream, w.Why, w.For, w.KeepLast = q.args[0], t.why, t.lasts.String(), !yes
		answer, err := q.order(ctx, "remove", func() (string, any) { return "/v1/changes", w }, func() { w.KeepLast = false })
		if err != nil {
			return err
		}
		return q.printOrdered(answer, "removed "+q.args[0]+", which an operator had added")
	})
	t.flags(c)
	c.Flags().StringVar(&w.Pool, "pool", "", "only from this pool (default every pool that has the upstream)")
	c.RegisterFlagCompletionFunc("pool", completing(poolNames))
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask, even for the last upstream of a pool")
	return c
}

func newUpstreamSet() *cobra.Command {
	var t terms
	var yes bool
	var o admin.Order
	state := choice{of: []string{"ready", "drain", "off"}}
	c := asking(&cobra.Command{
		Use:   "set UPSTREAM",
		Short: "Change the state or the weight of an upstream",
		Long: `Change the state or the weight of an upstream. To undo a change, set the state
to ready, or the weight to its value in the configuration.
` + upstreamForms + lastUpstream,
		Example: "  goodgate upstream set 10.0.0.7:3000 --weight 5 --why \"new machine\"",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: only(completing(func(s *admin.Status) []string { return upstreamsNot(s, "") })),
	}, func(ctx context.Context, q *question) error {
		o.Upstream, o.State, o.Why, o.For, o.KeepLast = q.args[0], state.value, t.why, t.lasts.String(), !yes
		answer, err := q.order(ctx, "change", func() (string, any) { return "/v1/upstreams", o }, func() { o.KeepLast = false })
		if err != nil {
			return err
		}
		var done admin.Changed
		return q.print(answer, &done, func() {
			if o.Weight > 0 {
				for _, u := range done.Upstreams {
					printable.Fprintf(q.out, "pool %s, %s: weight %d\n", u.Pool, u.Upstream, o.Weight)
				}
			}
			if o.State != "" {
				printState(q.out, done, o.State)
			}
			printLost(q.err, done.Lost)
		})
	})
	t.flags(c)
	c.Flags().Var(&state, "state", "ready, drain or off")
	c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(state.of, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().Var(number[int]{&o.Weight, 1, 1000, strconv.Atoi}, "weight", "share of the load, relative to the others")
	c.Flags().StringVar(&o.Pool, "pool", "", "only in this pool (default every pool that has the upstream)")
	c.RegisterFlagCompletionFunc("pool", completing(poolNames))
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask, even for the last upstream of a pool")
	c.MarkFlagsOneRequired("state", "weight")
	return c
}
