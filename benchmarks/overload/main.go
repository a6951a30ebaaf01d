// Command overload measures the remaining throughput of a pool under more load than its
// capacity: through goodgate, and through nginx, HAProxy and Caddy if they are
// installed.
//
// The backends have a fixed number of workers and random service times, so their
// capacity is known by arithmetic. It exits with 1 if goodgate misses a case's target,
// with 2 if the command line is wrong.
//
//	go run ./benchmarks/overload [-only CASE,...] [-peers goodgate,nginx,haproxy] [-json FILE]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	c, err := parse(os.Args[1:])
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "overload:", err)
		}
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	missed, err := c.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "overload:", err)
	}
	if err != nil || missed {
		os.Exit(1)
	}
}

// command is the parsed command line.
type command struct {
	cases           []scenario
	peers           []string
	runs            int
	json            string
	goodgate, caddy string
}

func parse(args []string) (*command, error) {
	c := &command{}
	fs := flag.NewFlagSet("overload", flag.ContinueOnError)
	only := fs.String("only", "", "cases to run, separated by commas (default: all)")
	names := fs.String("peers", "goodgate,goodgate-adaptive,goodgate-fixed,nginx,haproxy,caddy", "proxies to run; the command skips those that are not installed")
	fs.IntVar(&c.runs, "runs", 1, "runs of all cases, one after another")
	fs.StringVar(&c.json, "json", "", "file to write the results to")
	fs.StringVar(&c.goodgate, "goodgate", "", "goodgate program (default: build this tree)")
	fs.StringVar(&c.caddy, "caddy", "caddy", "caddy program")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if c.runs < 1 {
		return nil, fmt.Errorf("-runs %d must be positive", c.runs)
	}
	c.peers = strings.Split(*names, ",")
	var err error
	c.cases, err = choose(*only)
	return c, err
}

// choose returns the cases with the given names, in their order; all for "".
func choose(only string) ([]scenario, error) {
	if only == "" {
		return scenarios, nil
	}
	var chosen []scenario
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only %s: no such case", name)
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, nil
}

// run runs all cases, one after another, and reports whether goodgate has missed a
// target.
func (c *command) run(ctx context.Context) (missed bool, err error) {
	dir, err := os.MkdirTemp("", "overload-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's workers run as another user if this is root
		return false, err
	}
	chosen, err := c.choosePeers(dir)
	if err != nil {
		return false, err
	}
	fmt.Printf("%s, %s/%s, %d CPUs; %d backends of %d workers, %v on average: %.0f requests/s\n\n",
		time.Now().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), backends, workers, takes, capacity)
	printHeader()
	var all []*outcome
	for run := range c.runs {
		for _, s := range c.cases {
			for _, p := range chosen {
				o, err := p.measure(ctx, s, filepath.Join(dir, fmt.Sprintf("%s-%s-%d", s.name, p.name, run)))
				if err != nil {
					return missed, fmt.Errorf("%s against %s: %w", s.name, p.name, err)
				}
				o.Run = run + 1
				o.print()
				all = append(all, o)
				missed = missed || len(o.Missed) > 0
			}
		}
	}
	return missed, c.write(all)
}

func (c *command) write(all []*outcome) error {
	if c.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(c.json, append(text, '\n'), 0o644)
}

// choosePeers returns the requested peers that are installed.
func (c *command) choosePeers(dir string) ([]peer, error) {
	if c.goodgate == "" {
		c.goodgate = filepath.Join(dir, "goodgate")
		out, err := exec.Command("go", "build", "-o", c.goodgate, "github.com/goodgate/goodgate/cmd/goodgate").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("building goodgate: %w: %s", err, out)
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
			fmt.Fprintf(os.Stderr, "%s is not installed: skipped\n", name)
			continue
		}
		chosen = append(chosen, known[i])
	}
	return chosen, nil
}
