package main

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

func newPurge() *cobra.Command {
	var prefix, all bool
	var pool, why string
	var c *cobra.Command
	c = asking(&cobra.Command{
		Use:   "purge [URL | PATH]",
		Short: "Drop responses from the cache of a running goodgate",
		Long: `Drop the cached responses of a URL, or of a path on every host. Without a query, purge
drops the responses to every query. With --prefix, it drops everything below the path.
Give the path as the client requests it, or as the upstream receives it.

Each instance has its own cache: run purge on each one.`,
		Example: "  goodgate purge https://example.com/news\n  goodgate purge --prefix /images\n  goodgate purge --pool app",
		Args:    cobra.MaximumNArgs(1),
	}, func(ctx context.Context, q *question) error {
		v := url.Values{}
		switch {
		case len(q.args) == 0 && (prefix || pool == "" && !all):
			return wrong(c, "purge needs a URL, a path, --pool POOL or --all")
		case len(q.args) == 0:
			v.Set("all", "true")
		case all:
			return wrong(c, "--all excludes a URL")
		case prefix:
			v.Set("prefix", q.args[0])
		default:
			v.Set("url", q.args[0])
		}
		if pool != "" {
			v.Set("pool", pool)
		}
		if why != "" {
			v.Set("why", why)
		}
		var answer json.RawMessage
		if err := q.Delete(ctx, "/v1/cache?"+v.Encode(), &answer); err != nil {
			return err
		}
		var done admin.Purged
		return q.print(answer, &done, func() {
			printable.Fprintf(q.out, "purged %s from %s\n", count(done.Resources, "URL"), strings.Join(done.Pools, ", "))
		})
	})
	f := c.Flags()
	f.BoolVar(&prefix, "prefix", false, "drop everything below the URL or path")
	f.BoolVar(&all, "all", false, "drop everything")
	f.StringVar(&pool, "pool", "", "drop the responses of this pool only")
	f.StringVar(&why, "why", "", "reason, for the log")
	c.RegisterFlagCompletionFunc("pool", completing(poolNames))
	return c
}
