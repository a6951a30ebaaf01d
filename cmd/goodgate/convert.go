package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/advice/convert"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
	"github.com/goodgate/goodgate/internal/advice/nginxconf"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/printable"
)

func newConvert() *cobra.Command {
	var accepted []string
	c := &cobra.Command{
		Use:   "convert FILE",
		Short: "Make a configuration of one for nginx or HAProxy",
		Long: `Write a configuration that does what an nginx.conf or a haproxy.cfg does, to
standard output. What has no equivalent is noted in comments at its beginning,
and on standard error. A file whose name ends in .cfg is HAProxy's.

What restricts access, limits or hides something and cannot be said ends the
conversion, and nothing is written, unless --accept names the directive.

Exit codes: 0 the result passes goodgate check, 1 it does not, or something that
protects would be lost (what is wrong is printed), 2 the file cannot be read.`,
		Example: "  goodgate convert /etc/nginx/nginx.conf > goodgate.yaml\n  goodgate convert --accept auth_basic,limit_rate /etc/nginx/nginx.conf",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return convertFile(c.OutOrStdout(), c.ErrOrStderr(), args[0], accepted)
		},
	}
	c.Flags().StringSliceVar(&accepted, "accept", nil, "directives that may be lost though they protect something, such as auth_basic or \"http-request auth\"")
	return c
}

func convertFile(out, report io.Writer, file string, accepted []string) error {
	result, err := converted(file)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	result.Accept(accepted)
	for _, n := range result.Notes {
		printable.Fprintln(report, "note:", n)
	}
	if len(result.Refused) > 0 {
		return refused(report, result)
	}
	text := result.YAML(filepath.Base(file))
	if _, err := out.Write(text); err != nil {
		return &exitError{exitFailed, fmt.Errorf("writing: %w", err)}
	}
	_, warnings, err := config.Parse("goodgate.yaml", text, os.LookupEnv)
	for _, w := range warnings {
		printable.Fprintln(report, "warning:", w)
	}
	if errs, ok := errors.AsType[config.Errors](err); ok {
		for _, e := range errs {
			printable.Fprintln(report, "error:", e)
		}
		return &exitError{exitFailed, fmt.Errorf("the result has %s: see above", count(len(errs), "error"))}
	}
	if err != nil {
		return &exitError{exitFailed, err}
	}
	printable.Fprintf(report, "converted: %s; %s\ngoodgate check: good, %s\n", result.Carried(), count(len(result.Notes), "note"), count(len(warnings), "warning"))
	return nil
}

// refused says what protects and would be lost.
func refused(report io.Writer, result *convert.Result) error {
	var names []string
	for _, n := range result.Refused {
		printable.Fprintln(report, "error:", n)
		if !slices.Contains(names, n.What) {
			names = append(names, n.What)
		}
	}
	slices.Sort(names)
	return &exitError{exitFailed, fmt.Errorf("nothing is written: %s that %s would be lost; solve it in front or behind, take it out, or allow it by --accept %q",
		count(len(result.Refused), "directive"), map[bool]string{true: "protects something", false: "protect something"}[len(result.Refused) == 1], strings.Join(names, ","))}
}

func converted(file string) (*convert.Result, error) {
	if filepath.Ext(file) == ".cfg" {
		c, err := haproxy.Load(file)
		if err != nil {
			return nil, err
		}
		return convert.HAProxy(c), nil
	}
	c, err := nginxconf.Load(file)
	if err != nil {
		return nil, err
	}
	return convert.Nginx(c), nil
}
