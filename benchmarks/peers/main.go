// Command peers compares goodgate with nginx, HAProxy, Caddy and a plain
// httputil.ReverseProxy: the same load on the same backends in interleaved rounds, each
// proxy with its protections on. goodgate writes its access log. nginx runs without one
// and, in a separate row, with one. The command prints the goals with the results, and
// writes both as JSON and as a page with plots. It leaves out programs that are not
// installed.
//
//	go run ./benchmarks/peers                    everything, about seven minutes
//	go run ./benchmarks/peers -cases get1k       CPU per request alone
//	go run ./benchmarks/peers -quick             every case once and short
//
// It exits with code 1 if something could not be measured. A missed goal is only
// printed, because measurements on a shared machine should not decide whether a build
// passes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

type options struct {
	rounds      int
	each        time.Duration // duration of one round of one proxy
	connections int
	idle        int // number of idle clients
	checks      int // upstreams checked every second
	quick       bool
	cases       string
	goodgate    string
	caddy       string
	json, html  string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == roleFlag {
		if err := playRole(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; each measures every proxy once")
	flag.DurationVar(&o.each, "each", 1500*time.Millisecond, "how long one round loads one proxy")
	flag.IntVar(&o.connections, "connections", 64, "clients that send one request after another")
	flag.IntVar(&o.idle, "idle", 5000, "idle clients")
	flag.IntVar(&o.checks, "checks", 10000, "upstreams that are checked every second")
	flag.BoolVar(&o.quick, "quick", false, "one short round: whether everything works, not how fast it is")
	flag.StringVar(&o.cases, "cases", "", "cases, separated by commas; empty = all: "+strings.Join(caseNames(), ","))
	flag.StringVar(&o.goodgate, "goodgate", "", "goodgate binary to measure; empty = build this tree")
	flag.StringVar(&o.caddy, "caddy", "", "caddy binary; empty = the one in PATH, if any")
	flag.StringVar(&o.json, "json", "", "write what was measured to this file")
	flag.StringVar(&o.html, "html", "", "write a report with plots to this file")
	flag.Parse()
	if o.quick {
		o.rounds, o.each, o.idle, o.checks = 1, 200*time.Millisecond, min(o.idle, 500), min(o.checks, 1000)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	failed, err := compare(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
	}
	if err != nil || failed {
		stop()
		os.Exit(1)
	}
}

// compare measures and reports; failed means that something could not be measured.
func compare(ctx context.Context, o options) (failed bool, err error) {
	b, err := newBench(o)
	if err != nil {
		return false, err
	}
	defer b.close()
	if err := b.measure(ctx); err != nil {
		return false, err
	}
	b.report.judge()
	b.report.text(os.Stdout)
	return b.report.failed(), b.report.write(o.json, o.html)
}
