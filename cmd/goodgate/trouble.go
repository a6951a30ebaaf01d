package main

import (
	"io"
	"strings"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

// printMinute sums up the last minute of all pools.
func printMinute(out io.Writer, pools []admin.Pool) {
	var sum admin.Sums
	for i := range pools {
		m := &pools[i].Minute
		sum.Requests += m.Requests
		sum.Escaped += m.Escaped
		sum.Hidden += m.Hidden
		sum.MadeFaster += m.MadeFaster
	}
	printable.Fprintf(out, "last minute: %s, %s seen by clients, %d hidden, %d made faster\n",
		count(int(sum.Requests), "request"), count(int(sum.Escaped), "error"), sum.Hidden, sum.MadeFaster)
}

// printTrouble prints what is wrong, where, why, and what to do.
func printTrouble(out io.Writer, g *admin.Group) {
	place, over := g.Place()+": ", ""
	if g.Count == 1 && g.Place() == "" {
		place = "goodgate: "
	}
	if g.Over {
		over = " (over)"
	}
	printable.Fprintf(out, "\n%s: %s%s%s\n  %s\n", g.Level, strings.TrimPrefix(place, ": "), g.Title(), over, g.Evidence())
	if g.Do != "" {
		printable.Fprintf(out, "  Next step: %s\n", g.Do)
	}
}
