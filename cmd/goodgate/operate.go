package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

func newStatus() *cobra.Command {
	var fleet bool
	c := asking(&cobra.Command{
		Use:     "status",
		Short:   "Show the pools and upstreams of a running goodgate",
		Example: "  goodgate status\n  goodgate status --fleet",
		Args:    cobra.NoArgs,
	}, func(ctx context.Context, q *question) error {
		if fleet {
			return showFleet(ctx, q)
		}
		var answer json.RawMessage
		if err := q.Get(ctx, "/v1/status", &answer); err != nil {
			return err
		}
		var s admin.Status
		return q.print(answer, &s, func() { printStatus(q.out, &s) })
	})
	c.Flags().BoolVar(&fleet, "fleet", false, "show the instances of the fleet instead")
	return c
}

func printStatus(out io.Writer, s *admin.Status) {
	printable.Fprintf(out, "goodgate %s, process %d, %s; configuration of %s, %s\n",
		s.Version, s.PID, s.State, s.Config.Loaded.Format(time.DateTime), count(s.Config.Reloads, "reload"))
	if s.Config.Error != "" {
		printable.Fprintf(out, "the last reload failed at %s: %s\n", s.Config.Failed.Format(time.DateTime), s.Config.Error)
	}
	if f := s.Fleet; f != nil {
		printable.Fprintf(out, "fleet: %s, %s\n", count(len(f.Members), "instance"), connection(f))
	}
	printMinute(out, s.Pools)
	for _, g := range admin.Folded(s.Troubles) {
		printTrouble(out, &g)
	}
	for i := range s.Splits {
		printable.Fprintf(out, "route %s: %s\n", s.Splits[i].Route, s.Splits[i].Line)
	}
	for _, p := range s.Pools {
		printable.Fprintf(out, "\npool %s (%s): %d of %s available, %d in flight, %d waiting\n",
			p.Name, p.Policy, p.Available, count(len(p.Upstreams), "upstream"), p.InFlight, p.Waiting)
		if p.Deploy != "" {
			printable.Fprintf(out, "  deploy: %s (goodgate deploy status %s)\n", p.Deploy, p.Name)
		}
		if p.Zones != nil {
			printable.Fprintf(out, "  %s\n", p.Zones.Line())
		}
		if p.Cache != nil {
			printable.Fprintf(out, "  %s\n", p.Cache.Line())
		}
		printUpstreams(out, p.Upstreams)
	}
	if len(s.Changes) > 0 {
		printable.Fprintf(out, "\nchanges by operators, not in the configuration file:\n")
		printChanges(out, s.Changes)
		printLost(out, s.Lost)
	}
	if len(s.Failures) == 0 {
		return
	}
	printable.Fprintf(out, "\nlatest failures (goodgate why ID explains one):\n")
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

// printUpstreams prints the table of a pool, with the requests of the last minute.
func printUpstreams(out io.Writer, list []admin.Upstream) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(list) > 0 {
		io.WriteString(w, "  UPSTREAM\tWEIGHT\tIN FLIGHT\tFAILED\tLATENCY\tSTATE\n")
	}
	for _, u := range list {
		latency := "-"
		if u.Minute.MeanMS > 0 {
			latency = fmt.Sprintf("%.1f ms", u.Minute.MeanMS)
		}
		printable.Fprintf(w, "  %s\t%s\t%d\t%d of %d\t%s\t%s\n", u.Address, u.Share(), u.InFlight, u.Minute.Failed, u.Minute.Attempts, latency, u.Why)
	}
	w.Flush()
}

func newWhy() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "why REQUEST-ID",
		Short: "Explain what happened to a recent failed request",
		Long: `Explain a recent failed request: each attempt, and which setting would have saved the
request. It also explains a failure that goodgate hid from the client. Find the ID in
the response's X-Request-Id, on the error page or in the log.`,
		Example:           "  goodgate why 583e5a978404ce2497750a9444c37ba4",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(failedRequests)),
	}, func(ctx context.Context, q *question) error {
		var answer json.RawMessage
		if err := q.Get(ctx, admin.Path("/v1/requests", q.args[0]), &answer); err != nil {
			return err
		}
		var r admin.Request
		return q.print(answer, &r, func() {
			for _, line := range r.Why {
				printable.Fprintln(q.out, line)
			}
		})
	})
}

func newReload() *cobra.Command {
	return asking(&cobra.Command{
		Use:     "reload",
		Short:   "Make a running goodgate read its configuration file again",
		Example: "  goodgate reload --config goodgate.yaml",
		Args:    cobra.NoArgs,
	}, func(ctx context.Context, q *question) error {
		var answer json.RawMessage
		if err := q.Post(ctx, "/v1/reload", nil, &answer); err != nil {
			return err
		}
		var done admin.Reloaded
		return q.print(answer, &done, func() {
			printable.Fprintf(q.out, "reloaded: %s\n", count(len(done.Changes), "change"))
			for _, c := range done.Changes {
				printable.Fprintln(q.out, " ", c)
			}
		})
	})
}
