package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

func newChanges() *cobra.Command {
	c := asking(&cobra.Command{
		Use:   "changes",
		Short: "List the changes that operators made to a running goodgate, and undo them",
		Long: `List the changes that operators made to a running goodgate. Each line shows how
goodgate differs from its configuration file, who changed it, why, and until when.`,
		Example: "  goodgate changes",
		Args:    cobra.NoArgs,
	}, func(ctx context.Context, q *question) error {
		var answer json.RawMessage
		if err := q.Get(ctx, "/v1/changes", &answer); err != nil {
			return err
		}
		var all admin.InForce
		return q.print(answer, &all, func() {
			if len(all.Changes) == 0 {
				printable.Fprintln(q.out, "no changes: goodgate follows its configuration file")
				return
			}
			printChanges(q.out, all.Changes)
			printLost(q.err, all.Lost)
		})
	})
	c.AddCommand(newChangesUndo())
	return c
}

func newChangesUndo() *cobra.Command {
	var why string
	c := asking(&cobra.Command{
		Use:     "undo ID",
		Short:   "Undo a change, and follow the configuration again",
		Example: "  goodgate changes undo k3x9qa",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: only(completing(changeIDs)),
	}, func(ctx context.Context, q *question) error {
		var answer json.RawMessage
		if err := q.Delete(ctx, admin.Path("/v1/changes", q.args[0])+"?why="+url.QueryEscape(why), &answer); err != nil {
			return err
		}
		var done admin.Ordered
		return q.print(answer, &done, func() {
			for _, c := range done.Changes {
				printable.Fprintf(q.out, "undone: %s\n", c.Says)
			}
			printEmpty(q.err, done.Empty)
			printLost(q.err, done.Lost)
		})
	})
	c.Flags().StringVar(&why, "why", "", "`TEXT` that gives the reason, for the log")
	return c
}

// changeIDs returns the ids of the changes in force.
func changeIDs(s *admin.Status) (list []string) {
	for _, c := range s.Changes {
		list = append(list, c.ID+"\t"+c.Says)
	}
	return list
}

// printChanges prints changes as a table.
func printChanges(out io.Writer, list []admin.Shown) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	io.WriteString(w, "  ID\tCHANGE\tBY\tSINCE\tUNTIL\tWHY\n")
	for _, c := range list {
		by, until := c.By, "-"
		if c.Note != "" {
			by += fmt.Sprintf(" [%s]", c.Note)
		}
		if !c.Until.IsZero() {
			until = c.Until.Local().Format(time.DateTime)
		}
		printable.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", c.ID, c.Says, by, c.At.Local().Format(time.DateTime), until, c.Why)
	}
	w.Flush()
}

// printOrdered prints the changes. If there are none, because the configuration says the
// same, it prints instead.
func (q *question) printOrdered(answer json.RawMessage, instead string) error {
	var done admin.Ordered
	return q.print(answer, &done, func() {
		for _, c := range done.Changes {
			printable.Fprintf(q.out, "%s (to undo: goodgate changes undo %s)\n", c.Says, c.ID)
		}
		if len(done.Changes) == 0 {
			printable.Fprintln(q.out, instead)
		}
		printEmpty(q.err, done.Empty)
		printLost(q.err, done.Lost)
	})
}

// printEmpty warns of pools without an upstream that takes requests.
func printEmpty(out io.Writer, pools []string) {
	for _, pool := range pools {
		printable.Fprintf(out, "warning: pool %s has no available upstream: its requests wait (hold.for), and then fail with 503\n", pool)
	}
}
