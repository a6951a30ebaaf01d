//go:build !minimal

package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	commandInDocs = regexp.MustCompile("goodgate ([a-z][^`\n|#;&<>]*)")
	flagInDocs    = regexp.MustCompile(`(^|\s)(--?[a-zA-Z][a-zA-Z0-9-]*)`)
)

// TestFlagsInDocs: each flag that a page writes behind a command is one of that command.
func TestFlagsInDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	found := 0
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md", "../../config.example.yaml") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		joined := strings.ReplaceAll(string(text), "\\\n", " ")
		for _, m := range commandInDocs.FindAllStringSubmatch(joined, -1) {
			c, rest := commandOf(newRoot(io.Discard, io.Discard), strings.Fields(m[1]))
			if c == nil {
				continue // a sentence
			}
			for _, f := range flagInDocs.FindAllStringSubmatch(strings.Join(rest, " "), -1) {
				found++
				if !hasFlag(c, f[2]) {
					t.Errorf("%s: goodgate %s: %s is no flag of %q", filepath.Base(page), m[1], f[2], c.CommandPath())
				}
			}
		}
	}
	if found < 80 {
		t.Errorf("found %d flags in the pages, want at least 80", found)
	}
}

// commandOf returns the command that words name, and the words behind its name.
func commandOf(root *cobra.Command, words []string) (*cobra.Command, []string) {
	c := root
	for len(words) > 0 {
		next := subcommand(c, words[0])
		if next == nil {
			break
		}
		c, words = next, words[1:]
	}
	if c == root {
		return nil, nil
	}
	return c, words
}

func subcommand(c *cobra.Command, name string) *cobra.Command {
	for _, sub := range c.Commands() {
		if sub.Name() == name || sub.HasAlias(name) {
			return sub
		}
	}
	return nil
}

func hasFlag(c *cobra.Command, flag string) bool {
	c.InitDefaultHelpFlag()
	name, long := strings.CutPrefix(flag, "--")
	if long {
		return c.Flags().Lookup(name) != nil || c.InheritedFlags().Lookup(name) != nil
	}
	short := strings.TrimPrefix(flag, "-")
	return c.Flags().ShorthandLookup(short[:1]) != nil || c.InheritedFlags().ShorthandLookup(short[:1]) != nil
}
