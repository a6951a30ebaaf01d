package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/gate"
	"github.com/goodgate/goodgate/internal/printable"
)

func newCheck() *cobra.Command {
	var probe bool
	form := choice{of: []string{"text", "json"}}
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration file",
		Long: `Check a configuration file, and print all errors and warnings. An error shows its
place in the file and the allowed values. A warning names a risky setting, or
settings that contradict each other.

check opens the files that the configuration names: certificates, keys, error
pages, lists of upstreams. The files that goodgate writes (log, ACME) must be
writable, so run check as the user of the service. check changes nothing and
binds no address. It looks up the names of upstreams, for two seconds at most.

check prints its findings to standard output. A finding begins with "error:" or
"warning:", and the line of the file follows. The verdict comes last. -o json prints
one object instead.

Exit codes: 0 the file is good, 2 it is not, 3 an upstream did not answer its
probe (with --probe). Warnings do not change the exit code.`,
		Example:           "  goodgate check /etc/goodgate.yaml\n  goodgate check --probe -o json /etc/goodgate.yaml",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE: func(c *cobra.Command, args []string) error {
			v := check(c.Context(), args[0], probe)
			if form.value == "json" {
				if err := v.writeJSON(c.OutOrStdout()); err != nil {
					return &exitError{exitFailed, err}
				}
			} else {
				v.write(c.OutOrStdout())
			}
			return v.exit()
		},
	}
	c.Flags().BoolVar(&probe, "probe", false, "probe each upstream once, as its health check does")
	c.Flags().VarP(&form, "output", "o", "output format: text or json (default text)")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(form.of, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// verdict is the result of check.
type verdict struct {
	File      string    `json:"file"`
	Good      bool      `json:"good"`
	Listeners int       `json:"listeners"`
	Routes    int       `json:"routes"`
	Pools     int       `json:"pools"`
	Errors    []mistake `json:"errors"`
	Warnings  []mistake `json:"warnings"`
	Probes    []probed  `json:"probes,omitempty"`

	sources excerpts
}

// mistake is an error or a warning.
type mistake struct {
	File    string `json:"file,omitempty"` // if it is an included file
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`

	is config.Error
}

// probed is the result of one upstream's probe.
type probed struct {
	Pool     string  `json:"pool"`
	Upstream string  `json:"upstream"`
	Kind     string  `json:"kind,omitempty"`
	Millis   float64 `json:"ms,omitempty"`
	Error    string  `json:"error,omitempty"`

	does string // in words
}

func (v *verdict) newMistake(e config.Error) mistake {
	file := ""
	if e.File != v.File {
		file = printable.Text(e.File)
	}
	return mistake{File: file, Line: e.Line, Column: e.Column, Key: printable.Text(e.Path), Message: printable.Text(e.Message), is: e}
}

// check checks a file.
func check(ctx context.Context, file string, probe bool) (v verdict) {
	v = verdict{File: file, Errors: []mistake{}, Warnings: []mistake{}, sources: excerpts{}}
	data, err := config.Read(file)
	if err != nil {
		v.failed(err)
		return v
	}
	v.sources = excerpts{file: config.NewSource(data)}
	cfg, warnings, err := assemble.WithFiles(config.Parse(file, data, os.LookupEnv))
	if err == nil {
		v.Listeners, v.Routes, v.Pools = len(cfg.Listeners), len(cfg.Routes), len(cfg.Pools)
		_, err = gate.New(cfg, gate.Options{})
	}
	if err == nil {
		warnings = append(warnings, findDoubts(ctx, cfg)...)
	}
	for _, w := range warnings {
		v.Warnings = append(v.Warnings, v.newMistake(config.Error(w)))
	}
	v.failed(err)
	if v.Good = err == nil; v.Good && probe {
		v.probe(ctx, cfg)
	}
	return v
}

// failed records an error, unless it is nil.
func (v *verdict) failed(err error) {
	errs, ok := errors.AsType[config.Errors](err)
	if !ok && err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			errs = append(errs, config.Error{Message: line})
		}
	}
	for _, e := range errs {
		v.Errors = append(v.Errors, v.newMistake(e))
	}
}

// findDoubts looks up names, for no longer than a user at a terminal likes to wait.
func findDoubts(ctx context.Context, cfg *config.Config) []config.Warning {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return gate.Doubts(ctx, cfg)
}

// probe probes each upstream.
func (v *verdict) probe(ctx context.Context, cfg *config.Config) {
	results, err := gate.Probe(ctx, cfg)
	if err != nil {
		v.Good = false
		v.failed(err)
		return
	}
	for _, r := range results {
		p := probed{Pool: r.Pool, Upstream: r.Upstream, Kind: fmt.Sprint(r.Kind), Millis: float64(r.Took.Microseconds()) / 1000, does: "answers"}
		if !r.Answered {
			p.does = "accepts connections"
		}
		if r.Err != nil {
			p.Error = r.Err.Error()
		}
		v.Probes = append(v.Probes, p)
	}
}

// silent counts the upstreams whose probe failed.
func (v *verdict) silent() (n int) {
	for _, p := range v.Probes {
		if p.Error != "" {
			n++
		}
	}
	return n
}

func (v *verdict) exit() error {
	switch {
	case !v.Good:
		return &exitError{code: exitUsage}
	case v.silent() > 0:
		return &exitError{code: exitUnanswered}
	}
	return nil
}

func (v *verdict) writeJSON(out io.Writer) error {
	e := json.NewEncoder(printable.Writer{To: out, Form: printable.JSON})
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (v *verdict) write(out io.Writer) {
	for _, list := range []struct {
		word string
		of   []mistake
	}{{"warning:", v.Warnings}, {"error:", v.Errors}} {
		for _, m := range list.of {
			printable.Fprintln(out, list.word, m.is.Error())
			if line, mark, ok := strings.Cut(v.sources.of(m.is), "\n"); ok {
				printable.Fprintf(out, "%s\n%s\n", line, mark)
			}
		}
	}
	if !v.Good {
		printable.Fprintf(out, "%s: bad: %s, %s\n", v.File, count(len(v.Errors), "error"), count(len(v.Warnings), "warning"))
		return
	}
	printable.Fprintf(out, "%s: good: %s, %s, %s, %s\n", v.File, count(v.Listeners, "listener"), count(v.Routes, "route"),
		count(v.Pools, "pool"), count(len(v.Warnings), "warning"))
	for _, p := range v.Probes {
		if p.Error != "" {
			printable.Fprintf(out, "  %s %s: %s\n", p.Pool, p.Upstream, p.Error)
			continue
		}
		printable.Fprintf(out, "  %s %s: %s (%s, %.1f ms)\n", p.Pool, p.Upstream, p.does, p.Kind, p.Millis)
	}
	if n := v.silent(); n > 0 {
		printable.Fprintf(out, "%d of %s did not pass\n", n, count(len(v.Probes), "probe"))
	}
}

// excerpts are the files whose lines are shown, by name.
type excerpts map[string]config.Source

// of returns the line of an error.
func (s excerpts) of(e config.Error) string {
	source, ok := s[e.File]
	if !ok {
		data, err := config.Read(e.File)
		if err == nil {
			source = config.NewSource(data)
		}
		s[e.File] = source
	}
	return source.Excerpt(e)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
