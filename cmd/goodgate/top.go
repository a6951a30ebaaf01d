package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/top"
)

func newTop() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "top",
		Short: "Watch a running goodgate live, in a terminal",
		Long: `Watch a running goodgate: what is wrong, and every upstream with what became of
requests to it in the last minute.

  p f l i     sort by pool, failures, latency, in flight
  /           filter by pool or upstream; Enter keeps the filter, Esc drops it
  arrows      scroll
  q           quit`,
		Args: cobra.NoArgs,
	}, func(ctx context.Context, client admin.Client, _ []string, out io.Writer) error {
		if f, ok := out.(*os.File); !ok || !term.IsTerminal(f.Fd()) {
			return errors.New("top needs a terminal; goodgate status prints the state once")
		}
		return top.Run(ctx, client, out)
	})
}
