package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

// lookPause is the interval of checking a pool until no request is in flight.
const lookPause = 100 * time.Millisecond

func newPause() *cobra.Command {
	var o admin.PauseOrder
	most, last := duration(30*time.Second), duration(0)
	var wait time.Duration
	c := asking(&cobra.Command{
		Use:   "pause POOL",
		Short: "Hold new requests of a pool, and let its requests in flight finish",
		Long: `Hold new requests of a pool, and let its requests in flight finish, for example for a
migration or a restart. goodgate resume ends the pause; otherwise it ends after --for (by
default --max). A request that waits longer than --max gets 503, and so does a request
beyond --max-requests.

With --wait, the command returns once no request is in flight. From then on, none starts
until the pause ends. WebSockets and other upgraded connections stay open; --wait ignores them.`,
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
			printable.Fprintf(q.out, "pool %s is paused until %s; a request waits %v at most; %s in flight\n",
				o.Pool, state.Until.Local().Format(time.TimeOnly), time.Duration(state.Max), count(state.InFlight, "request"))
			if state.Tunnels > 0 {
				printable.Fprintf(q.out, "  %s stay open\n", count(state.Tunnels, "upgraded connection"))
			}
		})
	})
	f := c.Flags()
	f.Var(&most, "max", "longest wait of a request")
	f.Var(&last, "for", "end the pause automatically after this time (default --max)")
	f.DurationVar(&wait, "wait", 0, "wait at most this long until no request is in flight; fail if some remain")
	o.MaxRequests = 1000
	f.Var(number[int]{&o.MaxRequests, 1, 100_000, strconv.Atoi}, "max-requests", "highest number of requests that wait at once")
	f.StringVar(&o.Why, "why", "", "reason, for the status and the log")
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
		switch err := q.Get(ctx, admin.Path("/v1/pools", q.args[0]), &p); {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s still in flight after --wait %v; the pool stays paused until %s", count(state.InFlight, "request"), bound, state.Until.Local().Format(time.TimeOnly))
		case err != nil:
			return nil, err
		case p.Paused == nil:
			return nil, fmt.Errorf("the pause ended before the requests in flight finished")
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
		Short:             "End the pause of a pool, and send its waiting requests",
		Example:           "  goodgate resume app",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		return reopen(ctx, q, "/v1/pauses", "resumed", "is not paused")
	})
}

// reopen ends a pause or a maintenance.
func reopen(ctx context.Context, q *question, path, done, none string) error {
	var answer json.RawMessage
	if err := q.Delete(ctx, admin.Path(path, q.args[0]), &answer); err != nil {
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
		Short: "Answer a pool's requests with 503 and a page, but let testers in",
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
		Long: `Put a pool into maintenance: its requests get 503 with Retry-After and a page. These
responses do not count as failures of an upstream, and health checks go on. --allow lets
testers in by network, header or cookie.`,
		Example:           "  goodgate maintenance on app --page sorry.html --allow 10.0.0.0/8 --allow X-Tester=secret --for 2h",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		o.Pool, o.RetryAfter, o.For = q.args[0], admin.Term(retry), admin.Term(last)
		if page != "" {
			text, err := os.ReadFile(page)
			switch {
			case err != nil:
				return &exitError{exitUsage, err}
			case len(text) > admin.MaxPage:
				return &exitError{exitUsage, fmt.Errorf("--page %s has %d bytes: the limit is %d", page, len(text), admin.MaxPage)}
			case !utf8.Valid(text):
				return &exitError{exitUsage, fmt.Errorf("--page %s is not UTF-8: convert the page to UTF-8, and link to its images", page)}
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
	f.StringVar(&page, "page", "", "HTML `FILE` for clients, 256 KiB at most (default: the error page)")
	f.StringVar(&o.ContentType, "content-type", "", "content type of the page (default text/html; charset=utf-8)")
	f.StringArrayVar(&o.Allow, "allow", nil, "let testers in by address, CIDR, header NAME=VALUE, or cookie:NAME=VALUE; may be repeated")
	f.Var(&retry, "retry-after", "value of Retry-After")
	f.Var(&last, "for", "end the maintenance automatically after this time (default never)")
	f.StringVar(&o.Why, "why", "", "reason, for the status and the log")
	c.MarkFlagFilename("page", "html")
	return c
}

func newMaintenanceOff() *cobra.Command {
	return asking(&cobra.Command{
		Use:               "off POOL",
		Short:             "End the maintenance of a pool, even if the configuration set it",
		Example:           "  goodgate maintenance off app",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		pool := q.args[0]
		var done admin.Reopened
		if err := q.Delete(ctx, admin.Path("/v1/maintenance", pool), &done); err != nil {
			return err
		}
		var p admin.Pool
		if err := q.Get(ctx, admin.Path("/v1/pools", pool), &p); err != nil {
			return err
		}
		if p.Maintenance != nil { // ordered by the configuration
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
