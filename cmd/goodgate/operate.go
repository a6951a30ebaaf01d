package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/printable"
)

// defaultAdmin is where the admin listener is looked for when nothing says.
const defaultAdmin = "127.0.0.1:9900"

// caller is how a command finds a running goodgate.
type caller struct{ address, file, token string }

func (a *caller) flags(c *cobra.Command) {
	c.Flags().StringVar(&a.address, "admin", "", "address of the admin listener, host:port or unix:/path (default "+defaultAdmin+")")
	c.Flags().StringVarP(&a.file, "config", "c", "", "configuration file to take the address and the token from")
	c.MarkFlagFilename("config", "yaml", "yml")
	c.MarkFlagsMutuallyExclusive("admin", "config")
	a.token = os.Getenv("GOODGATE_TOKEN")
}

func (a *caller) client() (admin.Client, error) {
	c := admin.Client{Address: a.address, Token: a.token}
	if a.file != "" {
		cfg, _, err := config.Load(a.file)
		if err != nil {
			return c, &exitError{exitUsage, err}
		}
		if cfg.Admin.Address == "" {
			return c, &exitError{exitUsage, fmt.Errorf("%s has no admin.address", a.file)}
		}
		c = admin.Client{Address: cfg.Admin.Address, Token: string(cfg.Admin.Token)}
	}
	if c.Address == "" {
		c.Address = defaultAdmin
	}
	return c, nil
}

// asking returns a command that talks to a running goodgate. The token comes
// from the configuration file or from GOODGATE_TOKEN.
func asking(c *cobra.Command, do func(context.Context, admin.Client, []string, io.Writer) error) *cobra.Command {
	var a caller
	a.flags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		if err := do(c.Context(), client, args, c.OutOrStdout()); err != nil {
			return &exitError{exitFailed, err}
		}
		return nil
	}
	return c
}

func newStatus() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "status",
		Short: "Show the pools and upstreams of a running goodgate",
		Args:  cobra.NoArgs,
	}, func(ctx context.Context, client admin.Client, _ []string, out io.Writer) error {
		var s admin.Status
		if err := client.Get(ctx, "/v1/status", &s); err != nil {
			return err
		}
		printStatus(out, &s)
		return nil
	})
}

func printStatus(out io.Writer, s *admin.Status) {
	printable.Fprintf(out, "goodgate %s, process %d, %s; configuration of %s, %s\n",
		s.Version, s.PID, s.State, s.Config.Loaded.Format(time.DateTime), count(s.Config.Reloads, "reload"))
	if s.Config.Error != "" {
		printable.Fprintf(out, "the last reload failed at %s: %s\n", s.Config.Failed.Format(time.DateTime), s.Config.Error)
	}
	for _, t := range s.Troubles {
		where := cmp.Or(strings.TrimSpace(t.Pool+" "+t.Upstream), "goodgate")
		printable.Fprintf(out, "\n%s: %s: %s\n  %s\n", t.Level, where, t.Text, t.Do)
	}
	for _, p := range s.Pools {
		printable.Fprintf(out, "\npool %s (%s): %d of %s available, %d in flight, %d waiting\n",
			p.Name, p.Policy, p.Available, count(len(p.Upstreams), "upstream"), p.InFlight, p.Waiting)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, u := range p.Upstreams {
			printable.Fprintf(w, "  %s\tweight %d\t%d in flight\t%.1f ms\t%s\n", u.Address, u.Weight, u.InFlight, u.LatencyMS, u.Why)
		}
		w.Flush()
	}
	if len(s.Failures) == 0 {
		return
	}
	printable.Fprintf(out, "\nlatest failures (goodgate why ID tells more):\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, q := range s.Failures {
		end := fmt.Sprintf("hidden by %s: %s", q.AbsorbedBy, q.Hidden)
		if q.AbsorbedBy == "" {
			end = fmt.Sprintf("%d %s", q.Status, q.Reason)
		}
		printable.Fprintf(w, "  %s\t%s\t%s %s\t%s\n", q.Start.Format(time.TimeOnly), q.ID, q.Method, q.Path, end)
	}
	w.Flush()
}

func newWhy() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "why REQUEST-ID",
		Short: "Tell what became of a recent request that failed",
		Long: `Tell in plain words what became of a recent request in which something failed,
hidden from the client or not: each attempt, and what would have saved it. The
id is in the response's X-Request-Id, on the error page and in the log.`,
		Args: cobra.ExactArgs(1),
	}, func(ctx context.Context, client admin.Client, args []string, out io.Writer) error {
		var q admin.Request
		if err := client.Get(ctx, "/v1/requests/"+url.PathEscape(args[0]), &q); err != nil {
			return err
		}
		for _, line := range q.Why {
			printable.Fprintln(out, line)
		}
		return nil
	})
}

// newState returns the command that gives the operator's word on an upstream.
func newState(use, state, short string) *cobra.Command {
	var pool string
	c := asking(&cobra.Command{
		Use:   use + " UPSTREAM",
		Short: short,
		Args:  cobra.ExactArgs(1),
	}, func(ctx context.Context, client admin.Client, args []string, out io.Writer) error {
		var done admin.Changed
		if err := client.Post(ctx, "/v1/upstreams", admin.Order{Upstream: args[0], Pool: pool, State: state}, &done); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		for _, u := range done.Upstreams {
			printable.Fprintf(out, "pool %s, %s: %s\n", u.Pool, u.Upstream, state)
		}
		return nil
	})
	c.Flags().StringVar(&pool, "pool", "", "only in this pool (default every pool that has the upstream)")
	return c
}

func newReload() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "reload",
		Short: "Make a running goodgate read its configuration file again",
		Args:  cobra.NoArgs,
	}, func(ctx context.Context, client admin.Client, _ []string, out io.Writer) error {
		var done admin.Reloaded
		if err := client.Post(ctx, "/v1/reload", nil, &done); err != nil {
			return err
		}
		printable.Fprintf(out, "reloaded: %s\n", count(len(done.Changes), "change"))
		for _, c := range done.Changes {
			printable.Fprintln(out, " ", c)
		}
		return nil
	})
}
