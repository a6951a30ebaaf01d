// Command goodgate is a health-checking reverse proxy and load balancer.
//
// run.go starts the proxy (`goodgate run`). Most other commands have a file of their
// name. They either work on files alone, such as check, fmt and convert, or call the API
// of a running goodgate, see caller.go: status, drain, reload, deploy and others. main.go
// has the exit codes, usage.go the errors about the command line, and complete.go the
// completion of shells.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/printable"
)

// Exit codes, documented in docs/commands.md.
const (
	exitOK         = 0
	exitFailed     = 1 // something went wrong while running
	exitUsage      = 2 // the command line or the configuration is wrong
	exitUnanswered = 3 // check --probe: an upstream did not answer; doctor: something makes requests fail
	exitDoubtful   = 4 // doctor: something may make requests fail
	exitBack       = 5 // deploy: the old version is back, because the new one was worse or by order
)

// exitError ends the program with a certain exit code.
type exitError struct {
	code int
	err  error // nil if everything is printed already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program without its process.
func run(args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return exitOK
	}
	exit, ok := errors.AsType[*exitError](err)
	if !ok { // cobra's own error: the command line is wrong
		exit = &exitError{exitUsage, err}
	}
	if exit.err != nil {
		text := exit.err.Error()
		if mistake, ok := errors.AsType[*usageError](exit.err); ok {
			text += "\n" + mistake.help()
		}
		io.WriteString(stderr, "goodgate: "+strings.ReplaceAll(printable.Lines(text), "\n", "\n  ")+"\n")
	}
	return exit.code
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	var showVersion bool
	root := &cobra.Command{
		Use:   "goodgate",
		Short: "A reverse proxy and load balancer that keeps bad gateways from clients",
		Long: `goodgate stands between clients and application servers. It watches every
upstream, and hides an upstream's failure from the client wherever that is safe.
If it cannot hide a failure, the response and the log name its reason.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) > 0:
				return badCommand(c, args[0])
			case showVersion:
				v, _, err := c.Find([]string{"version"})
				if err != nil {
					return err
				}
				return v.RunE(v, nil)
			}
			return c.Help()
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.Flags().BoolVar(&showVersion, "version", false, "print the version")
	root.AddCommand(newRun(), newCheck(), newSchema(), newVersion())
	root.AddCommand(newStatus(), newHealth(), newWhy(), newReload(), newSplit(), newMirror(), newDrain(), newUndrain(), newOff(), newUpstream(), newChanges())
	root.AddCommand(newPause(), newResume(), newMaintenance(), newPurge(), newConfig())
	root.AddCommand(tools()...)
	root.AddCommand(extras()...)
	group(root, "Run:", "run", "init", "check", "fmt", "diff", "convert", "demo")
	group(root, "Operate a running goodgate:", "status", "health", "top", "why", "drain", "undrain", "off", "upstream", "changes", "deploy",
		"split", "fault", "mirror", "pause", "resume", "maintenance", "purge", "reload", "config")
	group(root, "Find out:", "explain", "doctor", "discover", "bench")
	root.SetHelpCommand(newHelp(root))
	root.InitDefaultCompletionCmd()
	speak(root)
	return root
}

// group lists commands together in the help.
func group(root *cobra.Command, title string, names ...string) {
	for _, c := range root.Commands() {
		if !slices.Contains(names, c.Name()) {
			continue
		}
		if c.GroupID = title; !root.ContainsGroup(title) { // some groups have no command in the minimal edition
			root.AddGroup(&cobra.Group{ID: title, Title: title})
		}
	}
}

// newHelp returns cobra's help command, with another treatment of unknown names.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Describe a command and its flags",
		Args:  cobra.ArbitraryArgs,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range root.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || c == root && len(rest) > 0 {
				return badCommand(root, args[0])
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}
