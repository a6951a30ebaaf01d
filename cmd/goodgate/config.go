package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

func newConfig() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Show the configurations that were in use, compare them, and go back to one",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newConfigHistory(), newConfigDiff(), newConfigRollback())
	return c
}

func newConfigHistory() *cobra.Command {
	return asking(&cobra.Command{
		Use:     "history",
		Short:   "List the configurations that were in use",
		Example: "  goodgate config history",
		Args:    cobra.NoArgs,
	}, func(ctx context.Context, q *question) error {
		var answer json.RawMessage
		if err := q.Get(ctx, "/v1/config/history", &answer); err != nil {
			return err
		}
		var list []admin.ConfigVersion
		return q.print(answer, &list, func() {
			w := tabwriter.NewWriter(q.out, 0, 0, 2, ' ', 0)
			defer w.Flush()
			for _, v := range list {
				now := ""
				if v.InUse {
					now = "in use"
				}
				printable.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", v.N, v.At.Local().Format(time.DateTime), v.SHA256[:min(12, len(v.SHA256))], v.By, now)
			}
		})
	})
}

func newConfigDiff() *cobra.Command {
	return asking(&cobra.Command{
		Use:     "diff A [B]",
		Short:   "Show what differs from version A to version B, or to the configuration in use",
		Example: "  goodgate config diff 7",
		Args:    cobra.RangeArgs(1, 2),
	}, func(ctx context.Context, q *question) error {
		query := url.Values{"a": {q.args[0]}}
		if len(q.args) > 1 {
			query.Set("b", q.args[1])
		}
		var answer json.RawMessage
		if err := q.Get(ctx, "/v1/config/diff?"+query.Encode(), &answer); err != nil {
			return err
		}
		var d admin.ConfigDiff
		return q.print(answer, &d, func() {
			for _, c := range d.Changes {
				printable.Fprintln(q.out, c)
			}
			if len(d.Changes) == 0 {
				printable.Fprintln(q.out, "they say the same")
			}
		})
	})
}

func newConfigRollback() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "rollback N",
		Short: "Put version N of the configuration into use again",
		Long: `Put version N of the configuration into use again. The file is not written: the next
reload of it, or a restart, puts the file's configuration into use. Until then the status
has a warning.`,
		Example: "  goodgate config rollback 7",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, q *question) error {
		n, err := strconv.Atoi(q.args[0])
		if err != nil {
			return fmt.Errorf("%q is no version: see goodgate config history", q.args[0])
		}
		var answer json.RawMessage
		if err := q.Post(ctx, "/v1/config/rollback", admin.RollbackOrder{To: n}, &answer); err != nil {
			return err
		}
		var done admin.Reloaded
		return q.print(answer, &done, func() {
			printable.Fprintf(q.out, "version %d is in use: %s; the file is as it was, and the next reload puts it into use\n", n, count(len(done.Changes), "change"))
			for _, c := range done.Changes {
				printable.Fprintln(q.out, " ", c)
			}
		})
	})
}
