//go:build !minimal

package main

import (
	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/config"
)

// tools are the commands that look, convert, measure and deploy; the minimal edition has none.
func tools() []*cobra.Command {
	return []*cobra.Command{newConvert(), newFmt(), newInit(), newDiff(), newExplain(), newDiscover(), newDoctor(), newDemo(), newBench(), newTop(), newDeploy()}
}

// referencePage makes the page with every key of the configuration; nil is an edition
// without it.
func referencePage() func() []byte { return config.Reference }
