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
		Short: "List earlier configurations, compare them, and roll back to one",
	}
	c.AddCommand(newConfigHistory(), newConfigDiff(), newConfigRollback())
	return c
}

func newConfigHistory() *cobra.Command {
	return asking(&cobra.Command{
		Use:     "history",
		Short:   "List the versions of the configuration that goodgate has used",
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
		Short:   "Show the differences from version A to version B, or to the configuration in use",
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
				printable.Fprintln(q.out, "no differences")
			}
		})
	})
}

func newConfigRollback() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "rollback N",
		Short: "Roll back to version N of the configuration",
		Long: `Roll back to version N of the configuration. The file stays as it is: the next reload
or restart puts the file's configuration into use again. Until then goodgate status shows
a warning.`,
		Example: "  goodgate config rollback 7",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, q *question) error {
		n, err := strconv.Atoi(q.args[0])
		if err != nil {
			return fmt.Errorf("%q: expected a version number; goodgate config history lists them", q.args[0])
		}
		var answer json.RawMessage
		if err := q.Post(ctx, "/v1/config/rollback", admin.RollbackOrder{To: n}, &answer); err != nil {
			return err
		}
		var done admin.Reloaded
		return q.print(answer, &done, func() {
			printable.Fprintf(q.out, "version %d is in use (%s); the file stays as it is, and the next reload puts it into use again\n", n, count(len(done.Changes), "change"))
			for _, c := range done.Changes {
				printable.Fprintln(q.out, " ", c)
			}
		})
	})
}
