//go:build !minimal

package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/printable"
)

//go:embed starts/*.yaml
var starts embed.FS

// startKinds returns the situations that have a first configuration, with a description
// of each.
func startKinds() [][2]string {
	return [][2]string{
		{"app", "one application on this machine"},
		{"pool", "several servers of one application"},
		{"nginx", "between nginx and the application servers"},
		{"tls", "on the Internet, with certificates obtained by ACME"},
		{"canary", "a new version gets a share of the clients"},
		{"parts", "several applications, each in its own file"},
	}
}

func newInit() *cobra.Command {
	var kinds []string
	var list strings.Builder
	for _, k := range startKinds() {
		kinds = append(kinds, k[0])
		list.WriteString(fmt.Sprintf("\n  %-8s%s", k[0], k[1]))
	}
	var file string
	c := &cobra.Command{
		Use:   "init SITUATION",
		Short: "Write a first configuration file",
		Long: `Write a small configuration file with comments, for one of these situations:
` + list.String() + `

init never overwrites a file.`,
		Example:           "  goodgate init app\n  goodgate init pool --file /etc/goodgate.yaml",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := starts.ReadFile("starts/" + args[0] + ".yaml")
			if err != nil {
				return wrong(c, "init: unknown situation %q: expected %s", args[0], or(kinds))
			}
			if file == "-" {
				_, err := c.OutOrStdout().Write(text)
				return err
			}
			if err := createFile(file, text); err != nil {
				return &exitError{exitFailed, err}
			}
			printable.Fprintf(c.OutOrStdout(), "wrote %s: change its addresses, then run goodgate check %s\n", file, file)
			return nil
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "goodgate.yaml", "`FILE` to write; - for standard output")
	c.MarkFlagFilename("file", "yaml", "yml")
	return c
}

// createFile writes a file that must not exist yet.
func createFile(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists, and init does not overwrite it: name another file with --file", file)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
