package main

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// outcome is the result for clients of one proxy in one run of a scenario.
type outcome struct {
	Case         string         `json:"case"`
	Says         string         `json:"says"`
	Of           string         `json:"form_of,omitzero"` // the case of which this is a quiet form
	Pool         int            `json:"pool"`             // initial number of upstreams
	Proxy        string         `json:"proxy"`
	Run          int            `json:"run"`  // from 1
	Must         string         `json:"must"` // goodgate's target
	Skipped      string         `json:"skipped,omitzero"`
	Means        string         `json:"network,omitzero"` // the mechanism that delays and loses packets
	Sent         int            `json:"sent"`
	Failed       int            `json:"failed"`
	FailedPosts  int            `json:"failed_posts"`
	Over500ms    int            `json:"over_500ms"`
	Over1s       int            `json:"over_1s"`
	Duplicated   int            `json:"duplicated"` // POSTs executed more than once
	Again        int            `json:"again"`      // other requests executed more than once by healthy backends
	LongAgain    int            `json:"long_again"` // slow requests among them
	Refused      int            `json:"refused"`    // refused by the proxy at a limit, by goodgate's log
	Queued       int            `json:"queued"`     // queued by the proxy for more than [queuedMax]
	P50          millis         `json:"p50_ms"`
	P99          millis         `json:"p99_ms"`
	Max          millis         `json:"max_ms"`
	JudgedMax    millis         `json:"judged_max_ms"` // slowest request that counts for the target
	JudgedFailed int            `json:"judged_failed"`
	Lag          millis         `json:"lag_ms"`             // largest delay of sending, from a busy machine
	Failures     map[string]int `json:"failures,omitempty"` // failures by kind
	Missed       []string       `json:"missed,omitempty"`   // missed parts of the target
	Timeline     []moment       `json:"timeline,omitempty"`
}

// moment has the sums of the requests with due times within [momentLength].
type moment struct {
	Sent   int    `json:"sent"`
	Failed int    `json:"failed"`
	Max    millis `json:"max_ms"`
}

const momentLength = 100 * time.Millisecond

// millis is a duration that JSON represents in milliseconds.
type millis time.Duration

func (m millis) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.1f", m.ms()), nil
}

func (m millis) ms() float64 { return float64(m) / 1e6 }

// count adds answers. Latencies count whether or not the request failed.
func (o *outcome) count(answers []answer) {
	o.Sent = len(answers)
	o.Failures = map[string]int{}
	times := make([]time.Duration, 0, len(answers))
	for _, a := range answers {
		times = append(times, a.latency)
		o.at(a.at).count(a)
		if a.failure != "" {
			o.Failed++
			if a.method == http.MethodPost {
				o.FailedPosts++
			}
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

// judge returns the parts of a target that the answers do not reach. The counts of
// other things must be known.
func (o *outcome) judge(m must, answers []answer) []string {
	judged := &outcome{
		Duplicated: o.Duplicated, Again: o.Again, LongAgain: o.LongAgain, Refused: o.Refused, Queued: o.Queued,
	}
	judged.count(slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.at < m.from }))
	o.JudgedMax, o.JudgedFailed = judged.Max, judged.Failed
	return m.misses(judged)
}

// at returns the moment of a time since the load began.
func (o *outcome) at(t time.Duration) *moment {
	i := int(t / momentLength)
	for len(o.Timeline) <= i {
		o.Timeline = append(o.Timeline, moment{})
	}
	return &o.Timeline[i]
}

func (m *moment) count(a answer) {
	m.Sent++
	if a.failure != "" {
		m.Failed++
	}
	m.Max = max(m.Max, millis(a.latency))
}

func (o *outcome) share(n int) float64 { return float64(n) / float64(max(o.Sent, 1)) }
