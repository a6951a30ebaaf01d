// Command goodgate is a health-checking reverse proxy and load balancer.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
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
)

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error // nil when everything has been said
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
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return exitOK
	}
	exit, ok := errors.AsType[*exitError](err)
	if !ok { // cobra's own: the command line is wrong
		exit = &exitError{exitUsage, err}
	}
	if exit.err != nil {
		io.WriteString(stderr, "goodgate: "+strings.ReplaceAll(printable.Lines(exit.err.Error()), "\n", "\n  ")+"\n")
	}
	return exit.code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "goodgate",
		Short: "A reverse proxy and load balancer that keeps bad gateways from clients",
		Long: `goodgate stands between clients and application servers, watches every
upstream, and hides from the client each upstream failure that can be hidden
safely. What cannot be hidden gets one reason in the response and in the log.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newRun(), newCheck(), newConvert(), newDoctor(), newDemo(), newBench(), newSchema(), newVersion())
	root.AddCommand(newStatus(), newTop(), newWhy(), newReload(),
		newState("drain", "drain", "Send an upstream no new requests; those under way go on"),
		newState("undrain", "ready", "Send an upstream requests again"),
		newState("off", "off", "As drain, and do not check it either"))
	return root
}
