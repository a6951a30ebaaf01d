package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/edition"
	"github.com/goodgate/goodgate/internal/printable"
)

// The linker sets these for a release.
var (
	release   string // for example v0.1.0
	commit    string // hash of the commit
	committed string // its time, RFC 3339
)

// build is a binary's information about its own build.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"` // of the commit
	Modified bool   `json:"modified"`       // built with changes that are not in the commit
	Edition  string `json:"edition"`        // full or minimal
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// thisBuild returns the values of the linker, or else those of the go command.
func thisBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return describe(info, build{Version: release, Commit: commit, Time: committed})
}

func describe(info *debug.BuildInfo, b build) build {
	b.Edition, b.Go, b.OS, b.Arch = edition.Name(), runtime.Version(), runtime.GOOS, runtime.GOARCH
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = cmp.Or(b.Commit, s.Value)
		case "vcs.time":
			b.Time = cmp.Or(b.Time, s.Value)
		case "vcs.modified":
			b.Modified = s.Value == "true" && b.Version == ""
		}
	}
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if b.Version == "" {
		b.Version = "devel"
	}
	return b
}

func (b build) String() string {
	from := ""
	if b.Commit != "" {
		from = fmt.Sprintf(" (%.12s", b.Commit)
		if day, _, ok := strings.Cut(b.Time, "T"); ok {
			from += ", " + day
		}
		if b.Modified {
			from += ", modified"
		}
		from += ")"
	}
	if b.Edition != "full" {
		from += " " + b.Edition
	}
	return fmt.Sprintf("%s%s %s %s/%s", b.Version, from, b.Go, b.OS, b.Arch)
}

// version returns the version alone.
func version() string { return thisBuild().Version }

func newVersion() *cobra.Command {
	var asJSON bool
	form := choice{of: []string{"text", "json"}}
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !asJSON && form.value != "json" {
				printable.Fprintf(c.OutOrStdout(), "goodgate %s\n", thisBuild())
				return nil
			}
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(thisBuild())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, the same as --output json")
	c.Flags().VarP(&form, "output", "o", "output format: text or json (default text)")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(form.of, cobra.ShellCompDirectiveNoFileComp))
	c.MarkFlagsMutuallyExclusive("json", "output")
	return c
}
