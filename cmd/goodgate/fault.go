//go:build !minimal

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/printable"
)

// faultFlags are the flags of the fault command.
type faultFlags struct {
	delay, bound         duration
	abort                int
	cut, throttle, share string
	headers              []string
	why, kind            string
	end                  bool
}

func newFault() *cobra.Command {
	var f faultFlags
	var c *cobra.Command
	c = asking(&cobra.Command{
		Use:   "fault [ROUTE]",
		Short: "Inject faults into a route to test its clients, and show or end these faults",
		Long: `Show the injected faults, inject a fault into a route, or end the faults that operators
injected. A route has at most one fault of each kind; a new one replaces it. A fault ends
after --for (10 minutes by default, 24 hours at most), with --end, or when goodgate
restarts. Faults do not count against upstreams.`,
		Example: `  goodgate fault shop --delay 300ms --share 5% --for 30m
  goodgate fault shop --abort 503 --header X-Fault=abort
  goodgate fault
  goodgate fault shop --end`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: only(completing(faultRoutes)),
	}, func(ctx context.Context, q *question) error {
		order, err := f.order()
		if err != nil {
			return wrong(c, "%s", err.Error())
		}
		set := order.Kind() != ""
		switch {
		case f.end && f.anyTerm():
			return wrong(c, "--end takes no other flags than --kind and --why")
		case f.kind != "" && !f.end:
			return wrong(c, "--kind needs --end")
		case f.end:
			return endFaults(ctx, q, f)
		case f.anyTerm() && len(q.args) == 0:
			return wrong(c, "a fault needs the argument ROUTE")
		case (f.anyTerm() || f.why != "") && !set:
			return wrong(c, "a fault has exactly one of --delay, --abort, --cut and --throttle")
		case !set:
			return showFaults(ctx, q)
		}
		order.Route = q.args[0]
		var answer json.RawMessage
		if err := q.Post(ctx, "/v1/faults", order, &answer); err != nil {
			return err
		}
		var done admin.Fault
		return q.print(answer, &done, func() {
			printable.Fprintf(q.out, "route %s: %s, until %s (to end it: goodgate changes undo %s)\n", done.Route, done.Says(), done.Until.Local().Format(time.TimeOnly), done.ID)
		})
	})
	f.declare(c)
	return c
}

func (f *faultFlags) declare(c *cobra.Command) {
	set := c.Flags()
	set.Var(&f.delay, "delay", "wait this long before the request goes to an upstream, 1m at most")
	set.IntVar(&f.abort, "abort", 0, "answer with this `STATUS`, from 400 to 599")
	set.StringVar(&f.cut, "cut", "", "break off the connection after this `SIZE` of the body, such as 10KiB")
	set.StringVar(&f.throttle, "throttle", "", "send at most this `SIZE` of the body per second")
	set.StringVar(&f.share, "share", "", "`SHARE` of the requests, such as 5% (default all)")
	set.StringArrayVar(&f.headers, "header", nil, "affect only requests with this header, `NAME=VALUE`, or NAME for any value; may be repeated")
	set.Var(&f.bound, "for", "end the fault after this time, 24h at most (default 10m)")
	set.StringVar(&f.why, "why", "", "reason, for the status and the log")
	set.BoolVar(&f.end, "end", false, "end the faults of operators, on ROUTE or on all routes")
	set.StringVar(&f.kind, "kind", "", "with --end: only faults of this `KIND`: delay, abort, cut or throttle")
}

// anyTerm reports whether a flag describes a fault.
func (f *faultFlags) anyTerm() bool {
	return f.delay != 0 || f.abort != 0 || f.cut+f.throttle+f.share != "" || len(f.headers) > 0 || f.bound != 0
}

// order returns the order that the flags describe.
func (f *faultFlags) order() (admin.FaultOrder, error) {
	o := admin.FaultOrder{For: admin.Term(f.bound), Why: f.why}
	o.Share, o.Delay, o.Abort = 1, admin.Span(f.delay), f.abort
	for _, size := range []struct {
		name, text string
		to         *int64
	}{{"cut", f.cut, &o.Cut}, {"throttle", f.throttle, &o.Throttle}} {
		if size.text == "" {
			continue
		}
		var n config.Size
		if err := n.UnmarshalText([]byte(size.text)); err != nil || n == 0 {
			return o, fmt.Errorf("--%s %s: expected a size such as 10KiB", size.name, size.text)
		}
		*size.to = int64(n)
	}
	if f.share != "" {
		var share config.Ratio
		if err := share.UnmarshalText([]byte(f.share)); err != nil {
			return o, fmt.Errorf("--share %s: %w", f.share, err)
		}
		o.Share = float64(share)
	}
	for _, text := range f.headers {
		name, value, _ := strings.Cut(text, "=")
		if o.Headers == nil {
			o.Headers = map[string]string{}
		}
		o.Headers[name] = value
	}
	return o, nil
}

func showFaults(ctx context.Context, q *question) error {
	var answer json.RawMessage
	if err := q.Get(ctx, admin.Path("/v1/faults", q.args...), &answer); err != nil {
		return err
	}
	var list []admin.Fault
	return q.print(answer, &list, func() {
		if len(list) == 0 {
			printable.Fprintln(q.out, "no injected faults")
			return
		}
		printFaults(q.out, list)
	})
}

func endFaults(ctx context.Context, q *question, f faultFlags) error {
	path := admin.Path("/v1/faults", q.args...)
	var answer json.RawMessage
	if err := q.Delete(ctx, path+"?kind="+url.QueryEscape(f.kind)+"&why="+url.QueryEscape(f.why), &answer); err != nil {
		return err
	}
	var done admin.Healed
	return q.print(answer, &done, func() {
		for i := range done.Ended {
			printable.Fprintf(q.out, "ended on route %s: %s\n", done.Ended[i].Route, done.Ended[i].Says())
		}
		if len(done.Ended) == 0 {
			printable.Fprintln(q.out, "no operator has injected a fault there")
		}
		if len(done.Left) > 0 {
			printable.Fprintln(q.err, "still active, from the configuration:")
			printFaults(q.err, done.Left)
		}
	})
}

func printFaults(out io.Writer, list []admin.Fault) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	io.WriteString(w, "  ROUTE\tFAULT\tBY\tUNTIL\tWHY\n")
	for i := range list {
		f := &list[i]
		until := "-"
		if !f.Until.IsZero() {
			until = f.Until.Local().Format(time.DateTime)
		}
		printable.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", f.Route, f.Says(), f.By, until, f.Why)
	}
	w.Flush()
}

// faultRoutes returns the names of the routes with faults.
func faultRoutes(s *admin.Status) (names []string) {
	for _, f := range s.Faults {
		names = append(names, f.Route)
	}
	return names
}
