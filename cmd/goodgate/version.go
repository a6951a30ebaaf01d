package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/printable"
)

// release is set by the linker when a release is built.
var release string

// version returns the release, else what the build knows of itself.
func version() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return cmp.Or(release, "unknown")
	}
	revision := ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			revision = "-" + s.Value[:12]
		}
	}
	module := info.Main.Version
	if module == "(devel)" || module == "" {
		module = "devel" + revision
	}
	return cmp.Or(release, module)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			printable.Fprintf(c.OutOrStdout(), "goodgate %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
