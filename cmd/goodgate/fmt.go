//go:build !minimal

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/printable"
)

func newFmt() *cobra.Command {
	var check, write bool
	c := &cobra.Command{
		Use:   "fmt FILE...",
		Short: "Print a configuration file in the canonical layout",
		Long: `Print a configuration file in the canonical layout: two spaces for each level, one
space after a colon, one blank line at most. fmt keeps comments, the order of keys,
quotes, brackets and the meaning. If it cannot change the layout safely, it ends with an
error.

Exit codes: 0 success, 1 fmt cannot write a file, or with --check a file is not in the
canonical layout, 2 fmt cannot read a file, or it is not valid YAML.`,
		Example:           "  goodgate fmt --write /etc/goodgate.yaml\n  goodgate fmt --check conf.d/*.yaml",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 && !check && !write {
				return wrong(c, "fmt prints one file only: use --write or --check for several")
			}
			differs := false
			for _, file := range args {
				before, err := config.Read(file)
				if err != nil {
					return &exitError{exitUsage, err}
				}
				after, err := config.Format(file, before)
				if err != nil {
					return &exitError{exitUsage, err}
				}
				same := bytes.Equal(before, after)
				switch {
				case check && !same:
					differs = true
					printable.Fprintln(c.OutOrStdout(), file)
				case check:
				case !write:
					_, err = c.OutOrStdout().Write(after)
				case !same:
					err = replaceFile(file, after)
				}
				if err != nil {
					return &exitError{exitFailed, err}
				}
			}
			if differs {
				return &exitError{code: exitFailed}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false, "print only the names of files that need a change, and change nothing")
	c.Flags().BoolVarP(&write, "write", "w", false, "write the files instead of printing them")
	c.MarkFlagsMutuallyExclusive("check", "write")
	return c
}

// replaceFile replaces the text of a file atomically. A symlink stays a symlink.
func replaceFile(file string, text []byte) error {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", file)
	}
	next, err := os.CreateTemp(filepath.Dir(file), ".goodgate-*")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name()) // after success it no longer exists
	_, err = next.Write(text)
	if err == nil {
		err = next.Chmod(info.Mode().Perm())
	}
	if closed := next.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(next.Name(), file)
}
