//go:build !minimal

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"

	"github.com/goodgate/goodgate/internal/lab/bench"
	"github.com/goodgate/goodgate/internal/printable"
)

// benchFlags is the command line of bench.
type benchFlags struct {
	target     bench.Target
	headers    []string
	bodyFile   string
	bodySize   int
	rate, ramp float64
	duration   time.Duration
	knee       bool
	p99        time.Duration
	json, html string
	name       string
	thresholds []string
	quiet      bool
}

// Limits on rates, in requests a second: one in a thousand seconds, and more than a
// machine can send; and on the size of a generated body, in bytes.
const (
	leastRate = 0.001
	mostRate  = 1e6
	mostBody  = 1 << 30
)

func asFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

func newBench() *cobra.Command {
	var b benchFlags
	cmd := &cobra.Command{
		Use:   "bench URL",
		Short: "Load a server, and measure latency and failures",
		Long: `Send requests at a rate that does not depend on the responses. bench measures
each request from the moment it was due, so a server that stalls cannot hide its
stall. It never sends a request twice.

--ramp raises the rate linearly. --knee finds the highest rate whose p99 stays
below --p99. With --fail-if-not, bench ends with exit code 1 when the result
misses a bound, so that a CI job can fail on it.`,
		Example: `  goodgate bench http://127.0.0.1:8080/ --rate 500 --for 30s --html report.html
  goodgate bench http://127.0.0.1:8080/ --rate 200 --fail-if-not 'p99<50ms' --fail-if-not 'failed<0.1%'
  goodgate bench http://127.0.0.1:8080/ --knee --p99 20ms`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b.target.URL = args[0]
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return b.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	b.rate = 100
	f.VarP(number[float64]{&b.rate, leastRate, mostRate, asFloat}, "rate", "r", "requests a second")
	f.Var(number[float64]{&b.ramp, 0, mostRate, asFloat}, "ramp", "raise the rate linearly, up to this rate at the end; 0 = keep the rate")
	b.duration, b.p99, b.target.Timeout = 10*time.Second, 100*time.Millisecond, 10*time.Second
	f.VarP((*duration)(&b.duration), "for", "d", "duration of the run; with --knee, of each rate")
	f.BoolVar(&b.knee, "knee", false, "start at --rate, and find the highest rate with a p99 below --p99 and no failure")
	f.Var((*duration)(&b.p99), "p99", "highest p99 that --knee accepts")
	f.StringVarP(&b.target.Method, "method", "X", "", "method (default GET, or POST with a body)")
	f.StringArrayVarP(&b.headers, "header", "H", nil, "header field, 'Name: value'; may be repeated")
	f.StringVar(&b.bodyFile, "body", "", "file with the request body")
	f.Var(number[int]{&b.bodySize, 0, mostBody, strconv.Atoi}, "body-size", "generate a request body of this many bytes")
	f.BoolVar(&b.target.HTTP2, "http2", false, "use HTTP/2; with an http:// URL, by prior knowledge")
	f.BoolVar(&b.target.NewConn, "new-connections", false, "open a new connection for each request")
	f.BoolVarP(&b.target.Insecure, "insecure", "k", false, "accept every certificate")
	f.Var((*duration)(&b.target.Timeout), "timeout", "timeout of one request")
	f.StringVar(&b.json, "json", "", "write the result to this file")
	f.StringVar(&b.html, "html", "", "write a report with plots to this file")
	f.StringVar(&b.name, "name", "", "name of the run in the result")
	f.StringArrayVar(&b.thresholds, "fail-if-not", nil, "bound that the result must meet: p99<50ms, failed<0.1%, rate>1000; may be repeated")
	f.BoolVarP(&b.quiet, "quiet", "q", false, "do not print a line each second")
	cmd.MarkFlagsMutuallyExclusive("knee", "ramp")
	cmd.AddCommand(newBenchCompare())
	return cmd
}

func newBenchCompare() *cobra.Command {
	var html string
	cmd := &cobra.Command{
		Use:   "compare BEFORE.json AFTER.json",
		Short: "Compare two results, and show the significant differences",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var results []*bench.Result
			for _, file := range args {
				r, err := bench.Read(file)
				if err != nil {
					return &exitError{exitUsage, err}
				}
				if r.Name == "" {
					r.Name = file
				}
				results = append(results, r)
			}
			if err := bench.Compare(cmd.OutOrStdout(), results[0], results[1]); err != nil {
				return &exitError{exitFailed, err}
			}
			return writeHTML(html, results)
		},
	}
	cmd.Flags().StringVar(&html, "html", "", "write a report with plots of both results to this file")
	return cmd
}

func (b *benchFlags) run(ctx context.Context, out, progress io.Writer) error {
	if b.quiet {
		progress = io.Discard
	}
	thresholds, err := b.prepare()
	if err != nil {
		return &exitError{exitUsage, err}
	}
	r, err := b.measure(ctx, progress)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	r.Name, r.Machine = b.name, bench.ThisMachine()
	if err := r.Text(out); err != nil {
		return &exitError{exitFailed, err}
	}
	if b.json != "" {
		if err := r.Write(b.json); err != nil {
			return &exitError{exitFailed, err}
		}
	}
	if err := writeHTML(b.html, []*bench.Result{r}); err != nil {
		return err
	}
	missed := []error{r.Hopeless()}
	for _, t := range thresholds {
		missed = append(missed, t.Check(r))
	}
	if err := errors.Join(missed...); err != nil {
		return &exitError{exitFailed, err}
	}
	return nil
}

// prepare reads the files that the flags name.
func (b *benchFlags) prepare() ([]bench.Threshold, error) {
	if err := b.target.Check(); err != nil {
		return nil, err
	}
	if b.target.Method != "" && !httpguts.ValidHeaderFieldName(b.target.Method) { // both are tokens
		return nil, fmt.Errorf("--method %q: expected a name such as GET or PURGE", b.target.Method)
	}
	b.target.Header = http.Header{}
	for _, h := range b.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, fmt.Errorf("--header %q: expected 'Name: value'", h)
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("--header %q: a header cannot have these characters", h)
		}
		b.target.Header.Add(name, value)
	}
	switch {
	case b.bodyFile != "" && b.bodySize > 0:
		return nil, errors.New("--body and --body-size exclude each other")
	case b.bodyFile != "":
		body, err := os.ReadFile(b.bodyFile)
		if err != nil {
			return nil, err
		}
		b.target.Body = body
	case b.bodySize > 0:
		b.target.Body = []byte(strings.Repeat("x", b.bodySize))
	}
	var list []bench.Threshold
	for _, text := range b.thresholds {
		t, err := bench.ParseThreshold(text)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, nil
}

func (b *benchFlags) measure(ctx context.Context, progress io.Writer) (*bench.Result, error) {
	if b.knee {
		k := bench.Knee{Target: b.target, From: b.rate, Step: b.duration, P99: b.p99, Progress: func(s bench.Step) {
			printable.Fprintf(progress, "%8.0f/s%s  failed %d of %d\n", s.Rate, latencyOf(s.Answered(), s.Latency), s.Failed, s.Requests)
		}}
		r, steps, err := k.Find(ctx)
		if err != nil {
			return nil, err
		}
		if r == nil {
			if err := steps[0].Hopeless(); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%v requests a second already overload the server: start with a lower --rate", b.rate)
		}
		r.Load = fmt.Sprintf("highest rate with p99 below %v and no failure, %v each", b.p99, b.duration)
		return r, nil
	}
	p := bench.Plan{Target: b.target, Pace: bench.Fixed(b.rate), For: b.duration, Progress: func(s bench.Second) {
		printable.Fprintf(progress, "%4d s  %6d sent  %5d failed%s\n", s.Second+1, s.Sent, s.Failed, latencyOf(s.Sent-s.Silent, s.Latency))
	}}
	load := fmt.Sprintf("%v requests a second for %v", b.rate, b.duration)
	if b.ramp > 0 {
		p.Pace = bench.Ramp{From: b.rate, To: b.ramp, Over: b.duration}
		load = fmt.Sprintf("from %v to %v requests a second in %v", b.rate, b.ramp, b.duration)
	}
	r, err := bench.Run(ctx, p)
	if err != nil {
		return nil, err
	}
	r.Load = load
	return r, nil
}

// latencyOf returns the latency, if there were answers.
func latencyOf(answers int, l bench.Latency) string {
	if answers == 0 {
		return "  no answers"
	}
	return fmt.Sprintf("  p50 %8.2f ms  p99 %8.2f ms", l.P50, l.P99)
}

func writeHTML(file string, results []*bench.Result) error {
	if file == "" {
		return nil
	}
	f, err := os.Create(file)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	err = bench.HTML(f, "goodgate bench", results)
	if err := errors.Join(err, f.Close()); err != nil {
		return &exitError{exitFailed, err}
	}
	return nil
}
