package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

const upstreamForms = `
UPSTREAM is an address from the file, the log or the status, with or without
http://, and with or without the pool (app/127.0.0.1:3001). A host name in the
file selects all its addresses.`

const lastUpstream = `

On a terminal, the command asks before it takes the last available upstream out of a
pool. A script needs --yes for that, unless the pool has only one upstream.`

func newDrain() *cobra.Command {
	return newState("drain", "drain", "Stop new requests to an upstream, and let its requests in flight finish", lastUpstream)
}

func newUndrain() *cobra.Command {
	c := newState("undrain", "ready", "Send an upstream requests again", "")
	c.Aliases = []string{"on"}
	return c
}

func newOff() *cobra.Command {
	return newState("off", "off", "Drain an upstream, and stop its health checks too", lastUpstream)
}

// newState returns a command that sets the operator's state of an upstream.
func newState(use, state, short, more string) *cobra.Command {
	o := admin.Order{State: state}
	var yes bool
	var lasts duration
	c := asking(&cobra.Command{
		Use:               use + " UPSTREAM",
		Short:             short,
		Long:              short + ".\n" + upstreamForms + more,
		Example:           "  goodgate " + use + " 127.0.0.1:3001",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: only(completing(func(s *admin.Status) []string { return upstreamsNot(s, state) })),
	}, func(ctx context.Context, q *question) error {
		o.Upstream, o.KeepLast, o.For = q.args[0], !yes && state != "ready", lasts.String()
		answer, err := q.order(ctx, use, func() (string, any) { return "/v1/upstreams", o }, func() { o.KeepLast = false })
		if err != nil {
			return err
		}
		var done admin.Changed
		return q.print(answer, &done, func() {
			printState(q.out, done, state)
			printLost(q.err, done.Lost)
		})
	})
	c.Flags().StringVar(&o.Why, "why", "", "`TEXT` that gives the reason, for the log and the status")
	c.Flags().StringVar(&o.Pool, "pool", "", "only in this pool (default every pool that has the upstream)")
	c.RegisterFlagCompletionFunc("pool", completing(poolNames))
	if state != "ready" {
		c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask, even for the last upstream of a pool")
		c.Flags().Var(&lasts, "for", "undo the change automatically after this time, such as 2h")
	}
	return c
}

// order sends an order. If the order would take out the last upstream of a pool and the
// operator agrees, it sends the order again by force.
func (q *question) order(ctx context.Context, use string, order func() (path string, body any), force func()) (answer json.RawMessage, err error) {
	path, body := order()
	err = q.Post(ctx, path, body, &answer)
	if last, ok := errors.AsType[*admin.Refused](err); ok && last.Code == admin.LastUpstream {
		if err := confirm(q, last, use); err != nil {
			return nil, err
		}
		force()
		path, body = order()
		err = q.Post(ctx, path, body, &answer)
	}
	return answer, err
}

// printLost warns that a restart loses changes.
func printLost(out io.Writer, why string) {
	if why != "" {
		printable.Fprintf(out, "warning: a restart undoes this change: %s\n", why)
	}
}

// duration is the value of a flag for a duration above 0; zero = not given.
type duration time.Duration

func (d *duration) Type() string { return "duration" }

func (d *duration) String() string {
	if *d == 0 {
		return ""
	}
	return time.Duration(*d).String()
}

// Set implements [pflag.Value].
func (d *duration) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil || v <= 0 {
		return errors.New("expected a duration above 0, such as 10s, 30m or 2h")
	}
	*d = duration(v)
	return nil
}

func printState(out io.Writer, done admin.Changed, state string) {
	are := "left"
	if state == "ready" {
		are = "available"
	}
	for _, u := range done.Upstreams {
		printable.Fprintf(out, "pool %s, %s: %s; %d of %d %s\n", u.Pool, u.Upstream, state, u.Left, u.Of, are)
		if u.Left == 0 && state != "ready" {
			printable.Fprintf(out, "  requests to pool %s now wait (hold.for), and then fail with 503; to end that: goodgate undrain %s/%s\n", u.Pool, u.Pool, u.Upstream)
		}
	}
}

// confirm returns nil if the last upstream of a pool may go.
func confirm(q *question, last *admin.Refused, use string) error {
	switch {
	case isTerminal(q.in) && isTerminal(q.err):
		printable.Fprintf(q.err, "%s.\n%s it anyway? [y/N] ", last.Text, strings.ToUpper(use[:1])+use[1:])
		answer, _ := bufio.NewReader(q.in).ReadString('\n')
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
			return nil
		}
		return errors.New("nothing was changed")
	case last.Of == 1: // a pool with one upstream: a script can only mean that one
		return nil
	}
	return fmt.Errorf("%s; nothing was changed (--yes does it anyway)", last.Text)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(f.Fd())
}
