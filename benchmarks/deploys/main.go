// Command deploys measures the effect of many deploys on clients. It replaces an
// application again and again under load of every kind, and breaks every tenth version.
//
//	go run ./benchmarks/deploys [-deploys 100] [-rate 200] [-goodgate FILE]
//
// It exits with 1 if a client of a good version saw a failure, if a good version was
// rolled back, or if a broken one was not rolled back before 0.5 % of the requests
// during its deploy had met it. A request has met it if it got an error, or took ten
// times as long as usual.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tolerated is the share of requests that may meet a broken version.
const tolerated = 0.005

func main() {
	var c campaign
	flag.IntVar(&c.deploys, "deploys", 100, "how many")
	flag.IntVar(&c.rate, "rate", 200, "requests a second")
	flag.StringVar(&c.flags, "flags", "--step-time 300ms --watch-for 1s --drain-timeout 20s --ready-within 2s", "of goodgate deploy")
	program := flag.String("goodgate", "", "goodgate program (default: build this tree)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.run(ctx, *program); err != nil {
		fmt.Fprintln(os.Stderr, "deploys:", err)
		os.Exit(1)
	}
}

// campaign is a sequence of deploys.
type campaign struct {
	deploys, rate int
	flags         string
	program       string
	gate, admin   string
	good, broken  tally
	wrong         []string
	worstSeen     float64
	taken         []time.Duration // durations of deploys of good versions
	goneBack      []time.Duration // durations of deploys of broken versions
}

// tally has the clients' results.
type tally struct{ deploys, requests, failed, slow int }

func (c *campaign) run(ctx context.Context, program string) error {
	dir, err := os.MkdirTemp("", "goodgate-deploys-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if c.program = program; program == "" {
		c.program = filepath.Join(dir, "goodgate")
		if out, err := exec.Command("go", "build", "-o", c.program, "github.com/goodgate/goodgate/cmd/goodgate").CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	first, err := startVersion(good)
	if err != nil {
		return err
	}
	stop, err := c.startGate(ctx, dir, first)
	if err != nil {
		return err
	}
	defer stop()
	clients := newClients(c.gate, c.rate)
	defer clients.stop()
	current := first
	for n := 1; n <= c.deploys && ctx.Err() == nil; n++ {
		if current, err = c.one(ctx, clients, current, n); err != nil {
			return err
		}
	}
	current.stop()
	return c.report()
}

// kinds are the kinds of broken versions, in rotation.
var kinds = []kind{crashes, errs, slow, leaks}

// one replaces the present version by the next, and returns the version that serves
// after that.
func (c *campaign) one(ctx context.Context, clients *clients, current *version, n int) (*version, error) {
	k := good
	if n%10 == 0 {
		k = kinds[(n/10-1)%len(kinds)]
	}
	next, err := startVersion(k)
	if err != nil {
		return nil, err
	}
	clients.take() // drop earlier results
	began := time.Now()
	code, out := c.deploy(ctx, next)
	lasted := time.Since(began)
	clients.settle()
	saw := clients.take()
	saw.deploys = 1
	into, want := &c.good, 0
	if k != good {
		into, want = &c.broken, 5
	}
	into.add(saw)
	share := float64(saw.failed+saw.slow) / float64(max(saw.requests, 1))
	fmt.Printf("%3d  %-7s  %5.1f s  %5d requests, %d failed, %d slow (%.3f %%)\n", n, k, lasted.Seconds(), saw.requests, saw.failed, saw.slow, 100*share)
	switch {
	case code != want:
		c.wrong = append(c.wrong, fmt.Sprintf("deploy %d (%s) ended with %d:\n%s", n, k, code, out))
	case k == good && saw.failed > 0:
		c.wrong = append(c.wrong, fmt.Sprintf("deploy %d: %d requests failed: %s", n, saw.failed, strings.Join(clients.failures(), "; ")))
	case k != good && share >= tolerated:
		c.wrong = append(c.wrong, fmt.Sprintf("deploy %d (%s): %.2f %% of the clients saw it: %s\n%s", n, k, 100*share, strings.Join(clients.failures(), "; "), out))
	}
	if k != good {
		c.worstSeen = max(c.worstSeen, share)
		c.goneBack = append(c.goneBack, lasted)
	} else {
		c.taken = append(c.taken, lasted)
	}
	if code == 0 {
		current.stop()
		return next, nil
	}
	next.stop()
	return current, nil
}

// deploy runs the command to its end.
func (c *campaign) deploy(ctx context.Context, next *version) (code int, out string) {
	args := append([]string{"deploy", "app", "--admin", c.admin, "--to", "http://" + next.address}, strings.Fields(c.flags)...)
	text, err := exec.CommandContext(ctx, c.program, args...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(text)
	}
	if err != nil {
		return -1, err.Error()
	}
	return 0, string(text)
}

func (t *tally) add(o tally) {
	t.deploys += o.deploys
	t.requests += o.requests
	t.failed += o.failed
	t.slow += o.slow
}

// report prints the sums, and returns an error if a goal was missed.
func (c *campaign) report() error {
	fmt.Printf("\n%d deploys of good versions, %s each on average: %d requests, %d failed\n", c.good.deploys, mean(c.taken), c.good.requests, c.good.failed)
	fmt.Printf("%d deploys of broken versions, gone back after %s on average: %d requests, %d failed and %d were slow; at worst %.3f %% of those of one deploy\n",
		c.broken.deploys, mean(c.goneBack), c.broken.requests, c.broken.failed, c.broken.slow, 100*c.worstSeen)
	if len(c.wrong) > 0 {
		return fmt.Errorf("%d deploys were not as they should be:\n%s", len(c.wrong), strings.Join(c.wrong, "\n"))
	}
	return nil
}

func mean(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	var sum time.Duration
	for _, d := range list {
		sum += d
	}
	return (sum / time.Duration(len(list))).Round(100 * time.Millisecond)
}
