//go:build minimal

package main

import "github.com/spf13/cobra"

func tools() []*cobra.Command { return nil }

func referencePage() func() []byte { return nil }
