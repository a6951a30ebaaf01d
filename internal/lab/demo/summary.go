package demo

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// Summary has the counts of the demo, for its own load unless stated otherwise.
type Summary struct {
	Took      time.Duration
	Requests  int // sent
	OK        int // answered as expected
	Failed    int // answered differently or incompletely
	Abandoned int // cancelled by the end of the demo
	Late      int // sent after their due time
	Visits    int // requests from other clients

	UpstreamFailures int // failed attempts
	Absorbed         int // requests with failed attempts and a good answer
	Held             int // requests that waited for an upstream
	LongestHeld      time.Duration
	ProbeFailures    int // health checks that failed

	Posts  int // executed by the backends
	Double int // executions of POSTs beyond the first

	Statuses map[int]int    // failed requests by status; 0 = no complete answer
	Escaped  map[escape]int // failed requests by cause in the proxy's records
}

// String formats the summary as lines of text.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s reached a client.\n", many(s.Requests, "request"), many(s.UpstreamFailures, "upstream failure"), count(s.Failed))
	line := func(n int, format string, args ...any) {
		if n > 0 {
			fmt.Fprintf(&b, "  "+format+"\n", args...)
		}
	}
	line(s.Absorbed, "%s succeeded although an attempt had failed.", many(s.Absorbed, "request"))
	if s.LongestHeld >= time.Millisecond { // nobody notices a shorter wait
		line(s.Held, "%s waited for an upstream instead of failing, the longest for %v.", count(s.Held), s.LongestHeld.Round(time.Millisecond))
	}
	line(s.ProbeFailures, "%s failed.", many(s.ProbeFailures, "health check"))
	line(1, "%s executed, %s of them twice.", were(s.Posts, "POST"), count(s.Double))
	for _, status := range slices.Sorted(maps.Keys(s.Statuses)) {
		line(1, "%s got %s.", many(s.Statuses[status], "client"), statusText(status))
	}
	byText := func(a, b escape) int { return cmp.Compare(a.String(), b.String()) }
	for _, e := range slices.SortedFunc(maps.Keys(s.Escaped), byText) {
		line(1, "%s × %v", count(s.Escaped[e]), e)
	}
	line(s.Late, "%s sent more than %v late.", were(s.Late, "request"), lateBy)
	line(s.Abandoned, "%s had no answer yet when the demo ended.", count(s.Abandoned))
	line(s.Visits, "%s not the demo's own.", were(s.Visits, "more request"))
	return b.String()
}

func statusText(status int) string {
	if status == 0 {
		return "no whole answer"
	}
	return fmt.Sprintf("status %d", status)
}

// String describes why a failure reached a client.
func (e escape) String() string {
	s := e.Method + ": " + e.Reason.String()
	switch {
	case e.Tried && e.Decision == reason.NotSafe:
		s += fmt.Sprintf(", could not be hidden (a %s may have been executed)", e.Method)
	case e.Tried:
		s += ", " + e.Decision.String()
	}
	return s
}

// many returns a number with its noun.
func many(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return count(n) + " " + noun
}

// were returns a number with its noun and "was" or "were".
func were(n int, noun string) string {
	if n == 1 {
		return many(n, noun) + " was"
	}
	return many(n, noun) + " were"
}

// count formats a number with commas.
func count(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", count(n/1000), n%1000)
}
