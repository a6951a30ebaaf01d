//go:build !minimal

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/top"
)

func newTop() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "top",
		Short: "Watch a running goodgate live, in a terminal",
		Long: `Watch a running goodgate: what is wrong, and every upstream with what became of
requests to it in the last minute.

  arrows      go through what is wrong, and the upstreams
  Enter       show all that is known of the marked one; Esc goes back
  p f l i     sort by pool, failures, latency, in flight
  /           filter by pool or upstream; Enter keeps the filter, Esc drops it
  q           quit`,
		Example: "  goodgate top",
		Args:    cobra.NoArgs,
	}, func(ctx context.Context, q *question) error {
		if !isTerminal(q.out) || q.json {
			return errors.New("top needs a terminal; goodgate status prints the state once, and as JSON with -o json")
		}
		return top.Run(ctx, q.Client, q.out)
	})
}
