//go:build !minimal

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/deploy"
	"github.com/goodgate/goodgate/internal/printable"
)

func itoa(n int) string { return strconv.Itoa(n) }

// printDeploy prints the state of a deploy.
func printDeploy(out io.Writer, v *deploy.View) {
	when := "since " + v.Since.Local().Format(time.DateTime)
	if v.Over {
		when = "at " + v.Ended.Local().Format(time.DateTime)
	}
	printable.Fprintf(out, "pool %s: %s %s, started by %s at %s\n", v.Pool, v.Stage, when, v.By, v.Began.Local().Format(time.DateTime))
	if v.Why != "" {
		printable.Fprintf(out, "  %s\n", v.Why)
	}
	printable.Fprintf(out, "  new: %s\n  old: %s\n", strings.Join(v.New, ", "), strings.Join(v.Old, ", "))
	for _, e := range v.Events {
		io.WriteString(out, "  ")
		printEvent(out, e)
	}
	printEnd(out, v)
}

// printEnd prints the figures of both versions, and the evidence for a return.
func printEnd(out io.Writer, v *deploy.View) {
	if v.Fresh.Requests == 0 && v.Verdict == nil {
		return
	}
	printable.Fprintf(out, "  new version: %s\n  old version: %s\n", figures(v.Fresh), figures(v.Settled))
	if v.Fresh.Failed > 0 {
		printable.Fprintf(out, "  clients saw %d of the failures of the new version\n", v.Seen)
	}
	if v.Stage != deploy.Back || len(v.Failures) == 0 {
		return
	}
	printable.Fprintln(out, "  some of them (goodgate why ID explains one):")
	for _, f := range v.Failures {
		what := f.Reason
		if f.Status != 0 {
			what = fmt.Sprint(f.Status)
		}
		printable.Fprintf(out, "    %s  %s %s: %s after %s; the client got %d\n", f.ID, f.Method, f.Path, what, deploy.InWords(f.TookMS), f.Client)
	}
}

// figures returns those of one version in one line.
func figures(f deploy.Figures) string {
	text := fmt.Sprintf("%d requests", f.Requests)
	if f.Requests == 1 {
		text = "1 request"
	}
	if f.Failed > 0 {
		text += fmt.Sprintf(", %d failed", f.Failed)
	}
	if f.Refused > 0 {
		text += fmt.Sprintf(", %d with 4xx", f.Refused)
	}
	if f.MedianMS > 0 {
		text += fmt.Sprintf(", %s (95 %%: %s)", deploy.InWords(f.MedianMS), deploy.InWords(f.P95MS))
	}
	return text
}

// printPlan prints the steps of a planned deploy.
func printPlan(out io.Writer, v *deploy.View) {
	s := &v.Settings
	printable.Fprintf(out, "Plan for pool %s; nothing was changed.\n", v.Pool)
	printable.Fprintf(out, "  1. add %s, without requests; health checks must pass within %s\n", strings.Join(v.New, ", "), s.ReadyWithin)
	n := 2
	if s.Warm != "" {
		printable.Fprintf(out, "  %d. send each %d warm-up requests for %s\n", n, s.WarmTimes, s.Warm)
		n++
	}
	for _, step := range s.Steps[:len(s.Steps)-1] {
		printable.Fprintf(out, "  %d. send them %.3g %% of the requests, for %s at least\n", n, step, s.StepTime)
		n++
	}
	printable.Fprintf(out, "  %d. send them 100 %%; the old upstreams stay for %s\n", n, s.WatchFor)
	printable.Fprintf(out, "  %d. drain %s, and remove them from the pool after %s at most\n", n+1, strings.Join(v.Old, ", "), s.DrainTimeout)
}
