package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// printSummary writes a line of Markdown for each case with quiet forms: the worst
// result of all protocols and runs, for each pool size.
func printSummary(w io.Writer, all []*outcome) {
	var names []string
	for _, o := range all {
		if !slices.Contains(names, o.Of) {
			names = append(names, o.Of)
		}
	}
	fmt.Fprint(w, "\n| case | 1 | 2 | 5 |\n|---|---|---|---|\n")
	for _, name := range names {
		fmt.Fprintf(w, "| `%s` |", name)
		for _, size := range []int{1, 2, 5} {
			fmt.Fprintf(w, " %s |", summary(slices.DeleteFunc(slices.Clone(all), func(o *outcome) bool {
				return o.Of != name || o.Pool != size
			})))
		}
		fmt.Fprintln(w)
	}
}

// summary returns the slowest answer that counts, in ms, and the missed parts of the
// target.
func summary(forms []*outcome) string {
	if len(forms) == 0 {
		return "not run"
	}
	var slowest millis
	var failed, again, skipped, missed int
	for _, o := range forms {
		if o.Skipped != "" {
			skipped++
			continue
		}
		slowest = max(slowest, o.JudgedMax)
		failed += o.JudgedFailed
		again += o.Again + o.Duplicated
		if len(o.Missed) > 0 {
			missed++
		}
	}
	if skipped == len(forms) {
		return "skipped"
	}
	parts := []string{ms(slowest)}
	for _, p := range []struct {
		n    int
		text string
	}{{failed, "%d failed"}, {again, "%d twice"}, {skipped, "%d skipped"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf(p.text, p.n))
		}
	}
	text := strings.Join(parts, ", ")
	if missed > 0 {
		text = fmt.Sprintf("**%s; %d of %d missed**", text, missed, len(forms))
	}
	return text
}
