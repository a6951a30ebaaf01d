//go:build !minimal

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/deploy"
	"github.com/goodgate/goodgate/internal/printable"
)

// deployment is the command line of deploy.
type deployment struct {
	deploy.Order
	detach  bool
	watch   bool
	restart string
}

func newDeploy() *cobra.Command {
	var d deployment
	c := asking(&cobra.Command{
		Use:   "deploy POOL --to URL...",
		Short: "Replace the upstreams of a pool step by step, and roll back if the new ones are worse",
		Long: `Replace the upstreams of a pool with new ones. goodgate adds the new upstreams to
the pool, waits for their health checks, and sends them a growing share of the
requests, at first only requests that it can retry. It compares them with the old
upstreams over the same period. If the new ones fail more, refuse more (4xx) or are
slower, with statistical certainty, goodgate rolls back. Then the command prints why,
and ends with exit code 5. After the last step, the old upstreams stay for
--watch-for, finish their requests and leave the pool. Then you can stop them.

Ctrl-C rolls back and waits; a second Ctrl-C does not wait. The deploy goes on
if this command dies.

With --restart, the URLs are existing upstreams of the pool. deploy takes one at a
time: it drains the upstream, restarts it with COMMAND, and sends it requests again
once its health check passes. If no other upstream is available meanwhile, requests
wait (hold.for).`,
		Example:           "  goodgate deploy app --to http://127.0.0.1:3002\n  goodgate deploy app --to http://127.0.0.1:3001 --restart 'systemctl restart app'",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		d.Pool = q.args[0]
		if d.restart != "" {
			return d.replace(ctx, q)
		}
		return d.run(ctx, q)
	})
	f := c.Flags()
	f.StringArrayVar(&d.To, "to", nil, "`URL` of a new upstream; may be repeated")
	f.Float64SliceVar(&d.Steps, "steps", nil, "the new upstreams' share of the requests at each step, in `PERCENT`; the last is 100 (default 1,5,25,50,100)")
	f.Lookup("steps").DefValue = "" // the help has the default already
	f.StringVar(&d.StepTime, "step-time", "", "minimum `DURATION` of a step (default 10s)")
	f.StringVar(&d.WatchFor, "watch-for", "", "`DURATION` for which the old upstreams stay after the last step (default 1m)")
	f.StringVar(&d.DrainTimeout, "drain-timeout", "", "longest `DURATION` that a leaving upstream has to finish its requests in flight (default 30s)")
	f.StringVar(&d.ReadyWithin, "ready-within", "", "longest `DURATION` until the health checks of the new upstreams pass (default 1m)")
	f.StringVar(&d.Warm, "warm", "", "`PATH` of warm-up requests to each new upstream before it gets clients")
	f.IntVar(&d.WarmTimes, "warm-times", 0, "send `N` warm-up requests to each new upstream (default 10)")
	f.StringSliceVar(&d.Ignore, "ignore", nil, "ignore a `RULE` of the comparison: fails, refuses or slow; may be repeated")
	f.StringVar(&d.Why, "why", "", "`TEXT` to show with the deploy, such as the version")
	f.StringVar(&d.restart, "restart", "", "shell `COMMAND` that restarts the application; GOODGATE_UPSTREAM contains its address")
	f.BoolVar(&d.DryRun, "dry-run", false, "print the plan, and change nothing")
	f.BoolVar(&d.watch, "watch", false, "print the figures of both versions every second")
	f.BoolVar(&d.detach, "detach", false, "do not wait for the end")
	c.MarkFlagsOneRequired("to")
	for _, name := range []string{"steps", "step-time", "watch-for", "warm", "warm-times", "ignore", "watch", "detach"} {
		c.MarkFlagsMutuallyExclusive("restart", name) // a restart compares nothing
	}
	c.AddCommand(newDeployStatus(), newDeployAct("back", "Roll back a deploy"), newDeployAct("promote", "Send all requests to the new upstreams now, then drain the old ones"))
	return c
}

// run orders the deploy and follows it.
func (d *deployment) run(ctx context.Context, q *question) error {
	var v deploy.View
	if err := q.Post(ctx, "/v1/deploys", d.Order, &v); err != nil {
		return err
	}
	switch {
	case d.DryRun:
		return q.show(&v, func() { printPlan(q.out, &v) })
	case d.detach:
		return q.show(&v, func() { printDeploy(q.out, &v) })
	}
	f := follower{q: q, pool: d.Pool, figures: d.watch}
	return f.follow(ctx, &v)
}

// show prints an answer as JSON, or with text.
func (q *question) show(v any, text func()) error {
	if q.json {
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return q.print(raw, &json.RawMessage{}, nil)
	}
	text()
	return nil
}

func newDeployStatus() *cobra.Command {
	return asking(&cobra.Command{
		Use:               "status [POOL]",
		Short:             "Show the running deploys, and the last deploy of each other pool",
		Example:           "  goodgate deploy status",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		if len(q.args) == 1 {
			var v deploy.View
			if err := q.Get(ctx, admin.Path("/v1/deploys", q.args[0]), &v); err != nil {
				return err
			}
			return q.show(&v, func() { printDeploy(q.out, &v) })
		}
		var all []deploy.View
		if err := q.Get(ctx, "/v1/deploys", &all); err != nil {
			return err
		}
		return q.show(all, func() {
			if len(all) == 0 {
				printable.Fprintln(q.out, "no deploy since goodgate started")
			}
			for i := range all {
				printDeploy(q.out, &all[i])
			}
		})
	})
}

func newDeployAct(do, short string) *cobra.Command {
	return asking(&cobra.Command{
		Use:               do + " POOL",
		Short:             short,
		Example:           "  goodgate deploy " + do + " app",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(poolNames)),
	}, func(ctx context.Context, q *question) error {
		var v deploy.View
		if err := q.Post(ctx, admin.Path("/v1/deploys", q.args[0], do), nil, &v); err != nil {
			return err
		}
		return q.show(&v, func() {
			printable.Fprintf(q.out, "requested; goodgate deploy status %s shows the progress\n", q.args[0])
		})
	})
}

// follower prints the events of a deploy until it ends.
type follower struct {
	q       *question
	pool    string
	figures bool
	asked   int // number of Ctrl-C so far
	last    int // number of the last printed event
	lost    time.Time
	told    time.Time // last time that figures were printed
}

const (
	followEvery = 200 * time.Millisecond
	// lostFor is how long a goodgate may not answer, because it may be restarting.
	lostFor = time.Minute
)

// follow returns the error of a deploy that has returned to the old version, nil if it is
// done.
func (f *follower) follow(ctx context.Context, v *deploy.View) error {
	interrupted, stop := interrupts()
	defer stop()
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		f.print(v)
		if v.Over {
			return f.end(v)
		}
		select {
		case <-interrupted:
			if err := f.interrupt(ctx); err != nil {
				return err
			}
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		var next deploy.View
		err := f.q.Get(ctx, admin.Path("/v1/deploys", f.pool)+"?after="+itoa(f.last), &next)
		if _, gone := errors.AsType[*admin.Unreachable](err); gone {
			if f.lost.IsZero() {
				f.lost = time.Now()
				printable.Fprintln(f.q.err, "goodgate does not answer; still trying")
			}
			if time.Since(f.lost) < lostFor {
				continue
			}
		}
		if err != nil {
			return err
		}
		f.lost = time.Time{}
		*v = next
	}
}

func (f *follower) interrupt(ctx context.Context) error {
	if f.asked++; f.asked > 1 {
		return errors.New("goodgate rolls back; goodgate deploy status shows the progress")
	}
	printable.Fprintln(f.q.err, "rolling back; press Ctrl-C again to end this command without waiting")
	var v deploy.View
	err := f.q.Post(ctx, admin.Path("/v1/deploys", f.pool, "back"), nil, &v)
	if _, refused := errors.AsType[*admin.Refused](err); refused { // the deploy has ended
		return nil
	}
	return err
}

func (f *follower) print(v *deploy.View) {
	if f.q.json { // print the last answer, with all events
		return
	}
	for _, e := range v.Events {
		if e.N > f.last {
			printEvent(f.q.out, e)
		}
	}
	f.advance(v)
	if f.figures && !v.Over && time.Since(f.told) >= time.Second {
		f.told = time.Now()
		printable.Fprintf(f.q.out, "         %.3g %%  new: %s  old: %s\n", v.Share, figures(v.Fresh), figures(v.Settled))
	}
}

func (f *follower) advance(v *deploy.View) {
	for _, e := range v.Events {
		f.last = max(f.last, e.N)
	}
}

func (f *follower) end(v *deploy.View) error {
	if err := f.q.show(v, func() { printEnd(f.q.out, v) }); err != nil {
		return err
	}
	if v.Stage == deploy.Back {
		return &exitError{code: exitBack}
	}
	return nil
}

func printEvent(out io.Writer, e deploy.Event) {
	printable.Fprintf(out, "%s  %-9s  %s\n", e.Time.Local().Format(time.TimeOnly), e.Stage, e.Text)
}
