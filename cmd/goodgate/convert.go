package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/advice/convert"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
	"github.com/goodgate/goodgate/internal/advice/nginxconf"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/printable"
)

func newConvert() *cobra.Command {
	return &cobra.Command{
		Use:   "convert FILE",
		Short: "Make a configuration of one for nginx or HAProxy",
		Long: `Write a configuration that does what an nginx.conf or a haproxy.cfg does, to
standard output. What has no equivalent is noted in comments at its beginning,
and on standard error. A file whose name ends in .cfg is HAProxy's.

Exit codes: 0 the result passes goodgate check, 1 it does not yet (what is wrong
is printed), 2 the file cannot be read.`,
		Example: "  goodgate convert /etc/nginx/nginx.conf > goodgate.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return convertFile(c.OutOrStdout(), c.ErrOrStderr(), args[0])
		},
	}
}

func convertFile(out, notes io.Writer, file string) error {
	result, err := converted(file)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	text := result.YAML(filepath.Base(file))
	if _, err := out.Write(text); err != nil {
		return &exitError{exitFailed, fmt.Errorf("writing: %w", err)}
	}
	for _, n := range result.Notes {
		printable.Fprintln(notes, "note:", n)
	}
	_, warnings, err := config.Parse("goodgate.yaml", text, os.LookupEnv)
	for _, w := range warnings {
		printable.Fprintln(notes, "warning:", w)
	}
	if errs, ok := errors.AsType[config.Errors](err); ok {
		for _, e := range errs {
			printable.Fprintln(notes, "error:", e)
		}
		return &exitError{exitFailed, fmt.Errorf("the result has %s: see above", count(len(errs), "error"))}
	}
	if err != nil {
		return &exitError{exitFailed, err}
	}
	return nil
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
