package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// outcome is the clients' result of one case. Times are in milliseconds, shares from 0
// to 1.
type outcome struct {
	Case     string   `json:"case"`
	Says     string   `json:"says"`
	Proxy    string   `json:"proxy"`
	Run      int      `json:"run"`
	Sent     int      `json:"sent"`
	Goodput  float64  `json:"goodput"` // answers within 1 s, as a share of the possible ones
	P50      float64  `json:"p50"`     // of answers with 200
	P99      float64  `json:"p99"`
	Refused  int      `json:"refused"` // 503 and 429
	Refusal  float64  `json:"refusal_p50"`
	Refusal9 float64  `json:"refusal_p99"`
	Errors   int      `json:"errors"`   // all other answers
	Recovery float64  `json:"recovery"` // time from the end of the last but one phase until nothing fails or is late
	Polite   float64  `json:"polite"`   // share of requests without an answer, except those of the greedy client
	Greedy   float64  `json:"greedy"`   // answers of the greedy client, as a share of the capacity
	Lag      float64  `json:"lag"`
	Missed   []string `json:"missed,omitempty"`
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// good reports whether an answer counts as good.
func (a answer) good() bool { return a.status == http.StatusOK && a.took < time.Second }

func (s scenario) outcome(p string, answers []answer) *outcome {
	o := &outcome{Case: s.name, Says: s.says, Proxy: p}
	var served, refused []time.Duration
	good, polite, politeBad, greedy := 0, 0, 0, 0
	for _, a := range answers {
		if a.at < 0 {
			continue
		}
		o.Sent++
		switch {
		case a.status == http.StatusOK:
			served = append(served, a.took)
		case a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests:
			refused = append(refused, a.took)
		default:
			o.Errors++
		}
		if a.good() {
			good++
		}
		switch {
		case a.greedy && a.good():
			greedy++
		case !a.greedy:
			polite++
			if !a.good() {
				politeBad++
			}
		}
	}
	o.Goodput = float64(good) / s.possible()
	o.P50, o.P99 = quantile(served, 0.5), quantile(served, 0.99)
	o.Refused, o.Refusal, o.Refusal9 = len(refused), quantile(refused, 0.5), quantile(refused, 0.99)
	o.Recovery = millis(s.recovery(answers))
	if s.greedy {
		o.Polite = float64(politeBad) / float64(max(polite, 1))
		o.Greedy = float64(greedy) / s.possible()
	}
	return o
}

// possible returns the number of requests that could have been answered.
func (s scenario) possible() (n float64) {
	for _, p := range s.phases {
		n += p.last.Seconds() * min(p.load*capacity, p.can())
	}
	return n
}

// recovery returns how long requests continued to fail or be late after the load had
// fallen below the capacity, by their due times.
func (s scenario) recovery(answers []answer) (last time.Duration) {
	if s.must.recovery == 0 {
		return 0
	}
	end := time.Duration(0)
	for _, p := range s.phases[:len(s.phases)-1] {
		end += p.last
	}
	for _, a := range answers {
		if a.at >= end && (a.status != http.StatusOK || a.took > second/2) {
			last = max(last, a.at-end)
		}
	}
	return last
}

func quantile(all []time.Duration, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return millis(all[int(q*float64(len(all)-1))])
}

// misses returns the missed targets.
func (m must) misses(o *outcome) (all []string) {
	miss := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	miss(o.Goodput < m.goodput, "goodput < %.0f %%", 100*m.goodput)
	miss(m.p99 > 0 && o.P99 > millis(m.p99), "p99 > %v", m.p99)
	miss(m.refusal > 0 && o.Refusal9 > millis(m.refusal), "p99 of refusals > %v", m.refusal)
	miss(m.recovery > 0 && o.Recovery > millis(m.recovery), "recovery > %v", m.recovery)
	miss(m.polite > 0 && o.Polite > m.polite, "more than %.0f %% of the polite failed", 100*m.polite)
	miss(o.Errors > o.Sent/1000, "%d errors", o.Errors)
	return all
}

// lagMax is the delay of sending, in milliseconds, from which the machine was too busy
// to measure.
const lagMax = 100

const row = "%-12s %-17s %7s %8s %8s %8s %9s %9s %9s %7s %9s %9s %9s  %s\n"

func printHeader() {
	fmt.Printf(row, "case", "proxy", "sent", "goodput", "p50 ms", "p99 ms", "refused", "p50 ms", "p99 ms", "errors", "recovery", "polite", "greedy", "")
}

func (o *outcome) print() {
	ms := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	percent := func(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
	remark := strings.Join(o.Missed, ", ")
	if remark != "" {
		remark = "MISSED: " + remark
	}
	if o.Lag > lagMax {
		remark += fmt.Sprintf(" (this machine lagged by %.0f ms)", o.Lag)
	}
	fmt.Printf(row, o.Case, o.Proxy, fmt.Sprint(o.Sent), percent(o.Goodput), ms(o.P50), ms(o.P99), fmt.Sprint(o.Refused), ms(o.Refusal), ms(o.Refusal9),
		fmt.Sprint(o.Errors), ms(o.Recovery), percent(o.Polite), percent(o.Greedy), remark)
}
