package main

import (
	"fmt"
	"strings"
	"time"
)

// must is goodgate's target. A duplicated POST always misses it.
type must struct {
	from    time.Duration // requests before this time, since the load began, do not count
	failed  float64       // limit on the share of failed requests
	late    float64       // limit on the share of requests over 500 ms; 0 = no limit
	p99     time.Duration // 0 = not looked at
	slowest time.Duration // 0 = not looked at
	mayFail bool          // failures do not count
	orders  bool          // failures of POSTs do not count
	once    bool          // healthy backends may execute no request twice
	long    bool          // healthy backends may execute no slow request twice
	prompt  bool          // the proxy may not refuse or queue any request
}

// String returns the target in the form of the reports.
func (m must) String() string {
	var parts []string
	switch {
	case m.mayFail:
	case m.failed == 0:
		parts = append(parts, "0 failed")
	default:
		parts = append(parts, fmt.Sprintf("failed ≤ %g %%", m.failed*100))
	}
	if m.orders {
		parts[0] += " but POST"
	}
	parts = append(parts, "0 dup")
	switch {
	case m.once:
		parts = append(parts, "0 again")
	case m.long:
		parts = append(parts, "0 long ones again")
	}
	if m.prompt {
		parts = append(parts, "0 refused, 0 queued")
	}
	if m.late > 0 {
		parts = append(parts, fmt.Sprintf("> 500 ms ≤ %g %%", m.late*100))
	}
	if m.p99 > 0 {
		parts = append(parts, fmt.Sprintf("p99 ≤ %d ms", m.p99.Milliseconds()))
	}
	if m.slowest > 0 {
		parts = append(parts, fmt.Sprintf("max ≤ %d ms", m.slowest.Milliseconds()))
	}
	if m.from > 0 {
		parts = append(parts, fmt.Sprintf("counted after %v", m.from))
	}
	return strings.Join(parts, ", ")
}

// misses returns the parts of m that the outcome does not reach.
func (m must) misses(o *outcome) []string {
	var all []string
	if o.Duplicated > 0 {
		all = append(all, fmt.Sprintf("%d POST executed twice", o.Duplicated))
	}
	if o.Again > 0 && m.once {
		all = append(all, fmt.Sprintf("%d executed twice by healthy backends", o.Again))
	}
	if o.LongAgain > 0 && m.long {
		all = append(all, fmt.Sprintf("%d slow request(s) executed twice by healthy backends", o.LongAgain))
	}
	if m.prompt && o.Refused > 0 {
		all = append(all, fmt.Sprintf("%d refused", o.Refused))
	}
	if m.prompt && o.Queued > 0 {
		all = append(all, fmt.Sprintf("%d in a queue for more than %v", o.Queued, queuedMax))
	}
	failed := o.Failed
	if m.orders {
		failed -= o.FailedPosts
	}
	if got := o.share(failed); got > m.failed && !m.mayFail {
		all = append(all, fmt.Sprintf("failed %.2f %% > %.2f %%", got*100, m.failed*100))
	}
	if got := o.share(o.Over500ms); m.late > 0 && got > m.late {
		all = append(all, fmt.Sprintf("over 500 ms %.2f %% > %.2f %%", got*100, m.late*100))
	}
	if m.p99 > 0 && o.P99 > millis(m.p99) {
		all = append(all, fmt.Sprintf("p99 %.0f ms > %d ms", o.P99.ms(), m.p99.Milliseconds()))
	}
	if m.slowest > 0 && o.Max > millis(m.slowest) {
		all = append(all, fmt.Sprintf("max %.0f ms > %d ms", o.Max.ms(), m.slowest.Milliseconds()))
	}
	return all
}
