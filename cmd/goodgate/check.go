package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/gate"
	"github.com/goodgate/goodgate/internal/printable"
)

func newCheck() *cobra.Command {
	var probe bool
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration file",
		Long: `Check a configuration file and print everything that is wrong with it, each with
its place and what is allowed, and settings that contradict each other. Names of
upstreams are looked up, for two seconds at most: a warning tells of one that leads
to goodgate's own listener, or has several addresses of both families.

Exit codes: 0 the file is good, 2 it is not, 3 an upstream did not answer its
probe (with --probe). Warnings do not change the exit code.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE: func(c *cobra.Command, args []string) error {
			return check(c.Context(), c.OutOrStdout(), args[0], probe)
		},
	}
	c.Flags().BoolVar(&probe, "probe", false, "ask each upstream once, the way its health check would")
	return c
}

func check(ctx context.Context, out io.Writer, file string, probe bool) error {
	cfg, warnings, err := config.Load(file)
	for _, w := range warnings {
		printable.Fprintln(out, "warning:", w)
	}
	if errs, ok := errors.AsType[config.Errors](err); ok {
		for _, e := range errs {
			printable.Fprintln(out, "error:", e)
		}
		return &exitError{exitUsage, fmt.Errorf("%s: %s", file, count(len(errs), "error"))}
	}
	if err != nil {
		return &exitError{exitUsage, err}
	}
	if _, err := gate.New(cfg, gate.Options{}); err != nil {
		return &exitError{exitUsage, err}
	}
	doubts := findDoubts(ctx, cfg)
	for _, d := range doubts {
		printable.Fprintln(out, "warning:", d)
	}
	printable.Fprintf(out, "%s: good: %s, %s, %s, %s\n", file,
		count(len(cfg.Listeners), "listener"), count(len(cfg.Routes), "route"),
		count(len(cfg.Pools), "pool"), count(len(warnings)+len(doubts), "warning"))
	if !probe {
		return nil
	}
	return printProbes(ctx, out, cfg)
}

// findDoubts looks names up for no longer than somebody at a terminal likes to wait.
func findDoubts(ctx context.Context, cfg *config.Config) []string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return gate.Doubts(ctx, cfg)
}

// printProbes prints what each upstream answers.
func printProbes(ctx context.Context, out io.Writer, cfg *config.Config) error {
	results, err := gate.Probe(ctx, cfg)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	silent := 0
	for _, r := range results {
		if r.Err != nil {
			silent++
			printable.Fprintf(out, "  %s %s: %v\n", r.Pool, r.Upstream, r.Err)
			continue
		}
		does := "answers"
		if !r.Answered {
			does = "accepts connections"
		}
		printable.Fprintf(out, "  %s %s: %s (%s, %.1f ms)\n", r.Pool, r.Upstream, does, r.Kind, float64(r.Took.Microseconds())/1000)
	}
	if silent > 0 {
		return &exitError{exitUnanswered, fmt.Errorf("%d of %s did not pass", silent, count(len(results), "probe"))}
	}
	return nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
