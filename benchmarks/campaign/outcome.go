package main

import (
	"fmt"
	"slices"
	"time"
)

// outcome is what clients saw of one proxy in one scenario, all runs together.
type outcome struct {
	Case       string         `json:"case"`
	Says       string         `json:"says"`
	Proxy      string         `json:"proxy"`
	Skipped    string         `json:"skipped,omitzero"`
	Sent       int            `json:"sent"`
	Failed     int            `json:"failed"`
	Over500ms  int            `json:"over_500ms"`
	Over1s     int            `json:"over_1s"`
	Duplicated int            `json:"duplicated"`
	P50        millis         `json:"p50_ms"`
	P99        millis         `json:"p99_ms"`
	Max        millis         `json:"max_ms"`
	Failures   map[string]int `json:"failures,omitempty"` // by what the client saw
	Missed     []string       `json:"missed,omitempty"`   // of what goodgate must reach
}

// millis is a duration that JSON shows in milliseconds.
type millis time.Duration

func (m millis) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.1f", m.ms()), nil
}

func (m millis) ms() float64 { return float64(m) / 1e6 }

// count sums up answers. Latencies count whether or not the request failed.
func (o *outcome) count(answers []answer) {
	o.Sent = len(answers)
	o.Failures = map[string]int{}
	times := make([]time.Duration, 0, len(answers))
	for _, a := range answers {
		times = append(times, a.latency)
		if a.failure != "" {
			o.Failed++
			o.Failures[a.failure]++
		}
		if a.latency > 500*time.Millisecond {
			o.Over500ms++
		}
		if a.latency > time.Second {
			o.Over1s++
		}
	}
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	o.P50, o.P99, o.Max = millis(times[len(times)/2]), millis(times[len(times)*99/100]), millis(times[len(times)-1])
}

func (o *outcome) share(n int) float64 { return float64(n) / float64(max(o.Sent, 1)) }

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
