package main

import (
	"fmt"
	"strings"
	"time"
)

// must is what goodgate has to reach. A duplicated POST is a miss in any case.
type must struct {
	failed  float64       // largest share of failed requests; 0 = none may fail
	late    float64       // largest share of requests over 500 ms; 0 = not looked at
	p99     time.Duration // 0 = not looked at
	mayFail bool          // failures are not looked at
}

// String is the target as the reports show it.
func (m must) String() string {
	var parts []string
	switch {
	case m.mayFail:
	case m.failed == 0:
		parts = append(parts, "0 failed")
	default:
		parts = append(parts, fmt.Sprintf("failed ≤ %g %%", m.failed*100))
	}
	parts = append(parts, "0 dup")
	if m.late > 0 {
		parts = append(parts, fmt.Sprintf("> 500 ms ≤ %g %%", m.late*100))
	}
	if m.p99 > 0 {
		parts = append(parts, fmt.Sprintf("p99 ≤ %d ms", m.p99.Milliseconds()))
	}
	return strings.Join(parts, ", ")
}

// misses tells what of m the outcome does not reach.
func (m must) misses(o *outcome) []string {
	var all []string
	if o.Duplicated > 0 {
		all = append(all, fmt.Sprintf("%d POST executed twice", o.Duplicated))
	}
	if got := o.share(o.Failed); got > m.failed && !m.mayFail {
		all = append(all, fmt.Sprintf("failed %.2f %% > %.2f %%", got*100, m.failed*100))
	}
	if got := o.share(o.Over500ms); m.late > 0 && got > m.late {
		all = append(all, fmt.Sprintf("over 500 ms %.2f %% > %.2f %%", got*100, m.late*100))
	}
	if m.p99 > 0 && o.P99 > millis(m.p99) {
		all = append(all, fmt.Sprintf("p99 %.0f ms > %d ms", o.P99.ms(), m.p99.Milliseconds()))
	}
	return all
}
