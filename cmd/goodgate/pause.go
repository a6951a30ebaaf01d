package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

// lookPause is how often a pool is looked at until nothing is in flight.
const lookPause = 100 * time.Millisecond

func newPause() *cobra.Command {
	var o admin.PauseOrder
	most, last := duration(30*time.Second), duration(0)
	var wait time.Duration
	c := asking(&cobra.Command{
		Use:   "pause POOL",
		Short: "Let new requests of a pool wait, while those under way finish",
		Long: `Let new requests of a pool wait, while those under way finish: for a migration, or a
restart. The pause ends by goodgate resume, or by itself after --for, which is --max
unless it is given. A request that has waited for --max gets 503, as do those for which
there is no room.

With --wait the command returns once no request is in flight, and then none will be until
the pause ends. WebSockets and other upgraded connections stay, and are not waited for.`,
		Example:           "  goodgate pause app --max 30s --wait 10s --why \"migration 42\" && ./migrate; goodgate resume app",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		o.Pool, o.Max, o.For = q.args[0], admin.Term(most), admin.Term(last)
		var answer json.RawMessage
		if err := q.Post(ctx, "/v1/pauses", o, &answer); err != nil {
			return err
		}
		var state admin.PauseState
		if err := json.Unmarshal(answer, &state); err != nil {
			return err
		}
		if wait > 0 {
			var err error
			if answer, err = awaitIdle(ctx, q, &state, wait); err != nil {
				return err
			}
		}
		return q.print(answer, &state, func() {
			printable.Fprintf(q.out, "pool %s is paused until %s; a request waits for %v at most; %s in flight\n",
				o.Pool, state.Until.Local().Format(time.TimeOnly), time.Duration(state.Max), count(state.InFlight, "request"))
			if state.Tunnels > 0 {
				printable.Fprintf(q.out, "  %s stay open\n", count(state.Tunnels, "upgraded connection"))
			}
		})
	})
	f := c.Flags()
	f.Var(&most, "max", "longest wait of a request")
	f.Var(&last, "for", "the pause ends by itself after this (default --max)")
	f.DurationVar(&wait, "wait", 0, "return once no request is in flight; fail when that takes longer")
	o.MaxRequests = 1000
	f.Var(number[int]{&o.MaxRequests, 1, 100_000, strconv.Atoi}, "max-requests", "how many may wait at once")
	f.StringVar(&o.Why, "why", "", "the reason, for whoever looks")
	return c
}

// awaitIdle waits until no request of a pool is in flight.
func awaitIdle(ctx context.Context, q *question, state *admin.PauseState, bound time.Duration) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	tick := time.NewTicker(lookPause)
	defer tick.Stop()
	for {
		var p admin.Pool
		switch err := q.Get(ctx, "/v1/pools/"+url.PathEscape(q.args[0]), &p); {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s still in flight after %v; the pool stays paused until %s", count(state.InFlight, "request"), bound, state.Until.Local().Format(time.TimeOnly))
		case err != nil:
			return nil, err
		case p.Paused == nil:
			return nil, fmt.Errorf("the pause has ended before the pool was idle")
		}
		*state = *p.Paused
		if state.InFlight == 0 {
			return json.Marshal(state)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func newResume() *cobra.Command {
	return asking(&cobra.Command{
		Use:               "resume POOL",
		Short:             "End the pause of a pool: the requests that waited go on",
		Example:           "  goodgate resume app",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		return reopen(ctx, q, "/v1/pauses/", "resumed", "is not paused")
	})
}

// reopen ends a pause or a maintenance.
func reopen(ctx context.Context, q *question, path, done, none string) error {
	var answer json.RawMessage
	if err := q.Delete(ctx, path+url.PathEscape(q.args[0]), &answer); err != nil {
		return err
	}
	var r admin.Reopened
	return q.print(answer, &r, func() {
		if !r.Ended {
			done = none
		}
		printable.Fprintf(q.out, "pool %s %s\n", r.Pool, done)
	})
}

func newMaintenance() *cobra.Command {
	c := &cobra.Command{
		Use:   "maintenance",
		Short: "Answer the requests of a pool with 503 and a page, but let testers in",
	}
	c.AddCommand(newMaintenanceOn(), newMaintenanceOff())
	return c
}

func newMaintenanceOn() *cobra.Command {
	var o admin.MaintenanceOrder
	var page string
	retry, last := duration(5*time.Minute), duration(0)
	c := asking(&cobra.Command{
		Use:   "on POOL",
		Short: "Put a pool into maintenance",
		Long: `Put a pool into maintenance: its requests get 503 with Retry-After and a page. No
upstream is to blame for that, and health checks go on. Testers are let in by their
network, by a header or by a cookie.`,
		Example:           "  goodgate maintenance on app --page sorry.html --allow 10.0.0.0/8 --allow X-Tester=secret --for 2h",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		o.Pool, o.RetryAfter, o.For = q.args[0], admin.Term(retry), admin.Term(last)
		if page != "" {
			text, err := os.ReadFile(page)
			switch {
			case err != nil:
				return err
			case !utf8.Valid(text):
				return fmt.Errorf("the page %s is not UTF-8: a page of another encoding, or an image, would not reach clients as it is", page)
			}
			o.Page = string(text)
		}
		var answer json.RawMessage
		if err := q.Post(ctx, "/v1/maintenance", o, &answer); err != nil {
			return err
		}
		var state admin.MaintenanceState
		return q.print(answer, &state, func() {
			until := "goodgate maintenance off " + o.Pool + " ends it"
			if !state.Until.IsZero() {
				until = "it ends at " + state.Until.Local().Format(time.DateTime)
			}
			printable.Fprintf(q.out, "pool %s is in maintenance; %s\n", o.Pool, until)
		})
	})
	f := c.Flags()
	f.StringVar(&page, "page", "", "HTML `FILE` that clients get, 256 KiB at most (default the error page)")
	f.StringVar(&o.ContentType, "content-type", "", "of the page (default text/html; charset=utf-8)")
	f.StringArrayVar(&o.Allow, "allow", nil, "testers, several times: an address, a CIDR, NAME=VALUE of a header, or cookie:NAME=VALUE")
	f.Var(&retry, "retry-after", "when clients are told to come again")
	f.Var(&last, "for", "it ends by itself after this (default never)")
	f.StringVar(&o.Why, "why", "", "the reason, for whoever looks")
	c.MarkFlagFilename("page", "html")
	return c
}

func newMaintenanceOff() *cobra.Command {
	return asking(&cobra.Command{
		Use:               "off POOL",
		Short:             "End the maintenance of a pool, also one of the configuration",
		Example:           "  goodgate maintenance off app",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		pool := q.args[0]
		var done admin.Reopened
		if err := q.Delete(ctx, "/v1/maintenance/"+url.PathEscape(pool), &done); err != nil {
			return err
		}
		var p admin.Pool
		if err := q.Get(ctx, "/v1/pools/"+url.PathEscape(pool), &p); err != nil {
			return err
		}
		if p.Maintenance != nil { // by the configuration
			var state admin.MaintenanceState
			if err := q.Post(ctx, "/v1/maintenance", admin.MaintenanceOrder{Pool: pool, Off: true}, &state); err != nil {
				return err
			}
			done.Ended = true
		}
		answer, err := json.Marshal(done)
		if err != nil {
			return err
		}
		return q.print(answer, &done, func() {
			text := "is no longer in maintenance"
			if !done.Ended {
				text = "is not in maintenance"
			}
			printable.Fprintf(q.out, "pool %s %s\n", pool, text)
		})
	})
}
