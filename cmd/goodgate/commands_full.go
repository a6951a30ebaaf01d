//go:build !minimal

package main

import (
	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/config"
)

// tools returns the commands that examine, convert, measure and deploy. The minimal
// edition has none.
func tools() []*cobra.Command {
	return []*cobra.Command{newConvert(), newFmt(), newInit(), newDiff(), newExplain(), newDiscover(), newDoctor(), newDemo(), newBench(), newTop(), newDeploy(), newFault()}
}

// referencePage returns the function for the page with every key of the configuration;
// nil in an edition without it.
func referencePage() func() []byte { return config.Reference }
