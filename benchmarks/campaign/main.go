// Command campaign measures the effect of failing backends on clients: for goodgate,
// and for nginx, HAProxy and Caddy if they are installed.
//
// Each case sends an open loop of requests through a client that never retries, makes
// the backends fail on a schedule, and counts failed, late and duplicated requests. It
// exits with 1 if goodgate misses a case's target, with 2 if the command line is wrong.
//
//	go run ./benchmarks/campaign [-quiet] [-only CASE,...] [-peers goodgate,nginx,haproxy] [-json FILE]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == roleFlag {
		if err := playBackend(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "backend:", err)
			os.Exit(1)
		}
		return
	}
	c, err := parse(os.Args[1:])
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "campaign:", err)
		}
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	missed, err := c.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "campaign:", err)
	}
	if err != nil || missed {
		os.Exit(1)
	}
}

// command is the parsed command line.
type command struct {
	options
	scenarios       []scenario
	peers           []string
	json, html      string
	goodgate, caddy string
}

// Defaults of the command line.
const usualRate, usualFor = 200, 6 * time.Second

func parse(args []string) (*command, error) {
	c := &command{}
	fs := flag.NewFlagSet("campaign", flag.ContinueOnError)
	only := fs.String("only", "", "cases to run, separated by commas (default: all)")
	names := fs.String("peers", "", "proxies to run; a proxy that is not installed is left out (default: goodgate,nginx,haproxy,caddy; goodgate if quiet)")
	fs.IntVar(&c.rate, "rate", usualRate, "requests per second; cases with their own rate keep it")
	fs.DurationVar(&c.last, "for", usualFor, "how long each case sends requests; cases with their own time keep it")
	fs.IntVar(&c.runs, "runs", 1, "runs of the campaign, one after another")
	fs.BoolVar(&c.quiet, "quiet", false, "run the quiet forms of the cases: a request a second, goodgate's defaults")
	fs.IntVar(&c.together, "together", 64, "quiet cases that run at the same time")
	fs.StringVar(&c.keep, "keep", "", "existing directory to keep the proxies' configurations and logs in")
	fs.StringVar(&c.json, "json", "", "file to write the results to")
	fs.StringVar(&c.html, "html", "", "file to write a report with plots to")
	fs.StringVar(&c.caddy, "caddy", findCaddy(), "caddy program")
	fs.StringVar(&c.goodgate, "goodgate", "", "goodgate program (default: build this tree)")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if c.rate < 1 || c.runs < 1 || c.last <= 0 || c.together < 1 {
		return nil, fmt.Errorf("-rate %d, -runs %d, -for %v and -together %d must be positive", c.rate, c.runs, c.last, c.together)
	}
	if c.quiet {
		if c.rate != usualRate || c.last != usualFor {
			return nil, fmt.Errorf("-rate %d, -for %v: quiet cases have their own rate and time", c.rate, c.last)
		}
		c.rate, c.last = 1, quietFor
	}
	if *names == "" {
		*names = "goodgate,nginx,haproxy,caddy"
		if c.quiet {
			*names = subject
		}
	}
	c.peers = strings.Split(*names, ",")
	var err error
	c.scenarios, err = choose(cases(c.quiet), *only)
	return c, err
}

// choose returns the scenarios with the given names, in the campaign's order. The name
// of a case includes all its quiet forms.
func choose(all []scenario, only string) ([]scenario, error) {
	if only == "" {
		return all, nil
	}
	var chosen []scenario
	unknown := strings.Split(only, ",")
	names := slices.Clone(unknown)
	for _, s := range all {
		named := func(name string) bool { return name == s.name || name == s.of }
		if slices.ContainsFunc(names, named) {
			chosen = append(chosen, s)
			unknown = slices.DeleteFunc(unknown, named)
		}
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("-only %s: no such case", strings.Join(unknown, ","))
	}
	return chosen, nil
}

// run runs all cases and reports whether goodgate has missed a target.
func (c *command) run(ctx context.Context) (missed bool, err error) {
	dir, err := os.MkdirTemp("", "campaign-build-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	chosen, err := c.choosePeers(dir)
	if err != nil {
		return false, err
	}
	printHeader(os.Stdout, c.options)
	var all []*outcome
	var failures []error
	c.playAll(ctx, chosen, func(o *outcome, err error) {
		if err != nil {
			failures = append(failures, err)
			return
		}
		o.print(os.Stdout)
		all = append(all, o)
		missed = missed || len(o.Missed) > 0
	})
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if c.quiet {
		printSummary(os.Stdout, all)
	}
	failures = append(failures, c.write(chosen, all))
	return missed, errors.Join(failures...)
}

// choosePeers returns the requested peers that are installed.
func (c *command) choosePeers(dir string) ([]peer, error) {
	var err error
	if c.goodgate == "" && slices.Contains(c.peers, subject) {
		if c.goodgate, err = build(dir); err != nil {
			return nil, err
		}
	}
	known := peers(c.goodgate, c.caddy)
	var chosen []peer
	for _, name := range c.peers {
		i := slices.IndexFunc(known, func(p peer) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-peers %s: no such proxy", name)
		}
		if _, err := exec.LookPath(known[i].program); err != nil {
			fmt.Fprintf(os.Stderr, "%s is not installed: left out\n", name)
			continue
		}
		chosen = append(chosen, known[i])
	}
	return chosen, nil
}
