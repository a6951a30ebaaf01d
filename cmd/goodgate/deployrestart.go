//go:build !minimal

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

// interrupts delivers the signals that end a command.
func interrupts() (c <-chan os.Signal, stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return signals, func() { signal.Stop(signals) }
}

// replace restarts upstreams in place, one after the other: the application's next
// version has the address of the old one, so that both cannot run at the same time.
func (d *deployment) replace(ctx context.Context, q *question) error {
	times := map[string]time.Duration{}
	for name, text := range map[string]string{"drain-timeout": orElse(d.DrainTimeout, "30s"), "ready-within": orElse(d.ReadyWithin, "1m")} {
		t, err := time.ParseDuration(text)
		if err != nil {
			return &exitError{exitUsage, fmt.Errorf("--%s: %w", name, err)}
		}
		times[name] = t
	}
	r := restart{q: q, pool: d.Pool, command: d.restart, drainTimeout: times["drain-timeout"], readyWithin: times["ready-within"], why: orElse(d.Why, "restart"), done: []string{}}
	for _, to := range d.To {
		if _, err := r.find(ctx, to); err != nil {
			return err
		}
	}
	if d.DryRun {
		for _, to := range d.To {
			printable.Fprintf(q.out, "plan for %s: drain for %s at most, restart with %q, use it again once its health check passes, within %s\n", to, r.drainTimeout, d.restart, r.readyWithin)
		}
		return nil
	}
	defer func() {
		q.show(restarted{d.Pool, r.done}, func() {})
	}()
	for _, to := range d.To {
		if err := r.one(ctx, to); err != nil {
			return err
		}
	}
	return nil
}

// restarted is the JSON output.
type restarted struct {
	Pool      string   `json:"pool"`
	Restarted []string `json:"restarted"` // upstreams that take requests again
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// restart restarts upstreams in place.
type restart struct {
	q            *question
	pool         string
	command      string
	drainTimeout time.Duration
	readyWithin  time.Duration
	why          string
	done         []string // upstreams that take requests again
}

// find returns an upstream of the pool.
func (r *restart) find(ctx context.Context, to string) (*admin.Upstream, error) {
	var p admin.Pool
	if err := r.q.Get(ctx, admin.Path("/v1/pools", r.pool), &p); err != nil {
		return nil, err
	}
	for i := range p.Upstreams {
		if u := &p.Upstreams[i]; u.Address == bare(to) {
			return u, nil
		}
	}
	return nil, fmt.Errorf("pool %s has no upstream %s: --restart needs existing upstreams", r.pool, to)
}

// bare returns the address in an upstream's URL.
func bare(to string) string {
	if u, err := url.Parse(to); err == nil && u.Host != "" {
		port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
		return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	}
	return to
}

// one restarts an upstream. In every case it ends the drain, because nothing else would.
func (r *restart) one(ctx context.Context, to string) error {
	u, err := r.find(ctx, to)
	if err != nil {
		return err
	}
	address := u.Address
	r.tell("draining", "%s, for %s at most", address, r.drainTimeout)
	if err := r.order(ctx, address, "drain"); err != nil {
		return err
	}
	back := func() error { return r.order(context.WithoutCancel(ctx), address, "ready") }
	interrupted, stop := interrupts()
	defer stop()
	if err := r.until(ctx, to, interrupted, r.drainTimeout, func(u *admin.Upstream) bool { return u.InFlight == 0 }); err != nil && !errors.Is(err, errTooLong) {
		return errors.Join(err, back())
	}
	r.tell("restarting", "%s: %s", address, r.command)
	c := exec.CommandContext(ctx, "sh", "-c", r.command)
	c.Env = append(os.Environ(), "GOODGATE_UPSTREAM="+address)
	c.Stdout, c.Stderr = r.q.err, r.q.err
	if err := c.Run(); err != nil {
		return errors.Join(fmt.Errorf("the command that restarts %s failed: %w; %s gets requests again", address, err, address), back())
	}
	r.tell("probing", "%s", address)
	if u, err = r.find(ctx, to); err != nil {
		return errors.Join(err, back())
	}
	before := u.Check.At // by goodgate's clock
	err = r.until(ctx, to, interrupted, r.readyWithin, func(u *admin.Upstream) bool {
		return u.Health == "up" && (u.Check.At.IsZero() || u.Check.Passed && u.Check.At.After(before)) // zero time: there are no checks
	})
	if err := back(); err != nil { // if the upstream is not ready, its checks keep requests away
		return err
	}
	if errors.Is(err, errTooLong) {
		return &exitError{exitBack, fmt.Errorf("%s was not ready within %s after its restart; the upstreams after it were not restarted", address, r.readyWithin)}
	}
	if err == nil {
		r.done = append(r.done, address)
		r.tell("done", "%s takes requests", address)
	}
	return err
}

func (r *restart) tell(stage, format string, args ...any) {
	out := r.q.out
	if r.q.json {
		out = r.q.err
	}
	printable.Fprintf(out, "%s  %-10s  %s\n", time.Now().Format(time.TimeOnly), stage, printable.Sprintf(format, args...))
}

func (r *restart) order(ctx context.Context, address, state string) error {
	var done admin.Changed
	return r.q.Post(ctx, "/v1/upstreams", admin.Order{Pool: r.pool, Upstream: address, State: state, Why: r.why}, &done)
}

var errTooLong = errors.New("timeout")

// until waits until is returns true for the upstream.
func (r *restart) until(ctx context.Context, to string, interrupted <-chan os.Signal, bound time.Duration, is func(*admin.Upstream) bool) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	late := time.NewTimer(bound)
	defer late.Stop()
	for {
		u, err := r.find(ctx, to)
		switch {
		case err != nil:
			return err
		case is(u):
			return nil
		}
		select {
		case <-ticker.C:
		case <-late.C:
			return errTooLong
		case <-interrupted:
			return errors.New("interrupted")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
