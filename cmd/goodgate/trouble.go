package main

import (
	"cmp"
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

// printTrouble says what is wrong, where, why, and what to do.
func printTrouble(out io.Writer, t *admin.Trouble) {
	over := ""
	if t.Over {
		over = " (over)"
	}
	printable.Fprintf(out, "\n%s: %s: %s%s\n  %s\n", t.Level, cmp.Or(strings.TrimSpace(t.Pool+" "+t.Upstream), "goodgate"), t.Headline, over, t.Text)
	if t.Do != "" {
		printable.Fprintf(out, "  Next step: %s\n", t.Do)
	}
}
