//go:build !minimal

package main

import "github.com/spf13/cobra"

// tools are the commands that look, convert and measure; the minimal edition has none.
func tools() []*cobra.Command {
	return []*cobra.Command{newConvert(), newDiscover(), newDoctor(), newDemo(), newBench(), newTop()}
}
