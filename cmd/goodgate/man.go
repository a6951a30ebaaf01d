//go:build man

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// extras are commands that only some builds have.
func extras() []*cobra.Command { return []*cobra.Command{newMan()} }

func newMan() *cobra.Command {
	var version, date string
	c := &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the man pages into a folder",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			at, err := time.Parse(time.DateOnly, date)
			if err != nil {
				return &exitError{exitUsage, fmt.Errorf("--date: %w", err)}
			}
			c.Root().DisableAutoGenTag = true
			header := &doc.GenManHeader{Title: "GOODGATE", Section: "1", Date: &at, Source: "goodgate " + version, Manual: "goodgate"}
			return doc.GenManTree(c.Root(), header, args[0])
		},
	}
	c.Flags().StringVar(&version, "version", version, "version to print in the pages")
	c.Flags().StringVar(&date, "date", "", "date to print in the pages, such as 2026-01-02")
	return c
}
