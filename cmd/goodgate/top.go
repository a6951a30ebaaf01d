//go:build !minimal

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/top"
)

func newTop() *cobra.Command {
	c := asking(&cobra.Command{
		Use:   "top",
		Short: "Watch a running goodgate live, in a terminal",
		Long: `Watch a running goodgate: its problems, and every upstream with the results of
its requests in the last minute.

  arrows      move through the problems and the upstreams
  Enter       show the details of the marked one; Esc goes back
  p f l i     sort by pool, failures, latency, in flight
  /           filter by pool or upstream; Enter keeps the filter, Esc drops it
  q           quit`,
		Example: "  goodgate top",
		Args:    cobra.NoArgs,
	}, func(ctx context.Context, q *question) error {
		if !isTerminal(q.out) || q.json {
			return errors.New("top needs a terminal; goodgate status prints the state once, with -o json as JSON")
		}
		return top.Run(ctx, q.Client, q.out)
	})
	c.Flags().Lookup("output").Hidden = true // -o json gets the hint above
	return c
}
