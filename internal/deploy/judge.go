package deploy

import (
	"fmt"
	"slices"
	"time"
)

// Sample is the result of a request's first attempt. Chance chooses its upstream, so that
// both versions get the same kind of requests.
type Sample struct {
	New      bool          // the upstream runs the new version
	Upstream string        // its address
	Failed   bool          // no answer, an incomplete one, or a server error (5xx)
	Refused  bool          // a client error (4xx)
	Took     time.Duration // to the response header; 0 = not usable: the client sent a body, or there was no answer
}

// judge compares a new version with the old one, by samples of requests from the same
// time. Once the old version gets no requests, it compares with the old version's past.
// It is not safe for concurrent use. Use newJudge.
type judge struct {
	rules   [len(ruleNames)]rule
	old     times
	new     times
	timed   map[string]int // samples with a time, by upstream of the new version
	ignore  []string       // names of ignored rules
	alone   bool           // the old version gets no requests any more
	figures [2]Figures     // of the old version, and of the new one
}

// The comparisons, in the order of judge.rules.
const (
	byFailures = iota
	byRefusals
	bySlowness
	byLength
)

// ruleNames are the words for the cause of a return, in the API and the log.
var ruleNames = [...]string{byFailures: "fails", byRefusals: "refuses", bySlowness: "slow", byLength: "slow"}

// margins are the least differences that matter, in shares of the requests. A smaller
// difference should not end a deploy.
var margins = [...]float64{byFailures: 0.005, byRefusals: 0.1, bySlowness: 0.2, byLength: 0.2}

// spans are the least times over which the rules look at a new version that is alone.
var spans = [...]time.Duration{byFailures: 0, byRefusals: 0, bySlowness: slowFor, byLength: slowFor}

// slowFor is longer than the pauses of a busy machine.
const slowFor = 3 * time.Second

// coldSamples is the number of first samples of a new upstream that do not count, because
// the first requests to a new process take longer.
const coldSamples = 5

// Figures describe the requests to one version, by their first attempts.
type Figures struct {
	Requests int     `json:"requests"`
	Failed   int     `json:"failed"`  // incomplete answer or none, or 5xx
	Refused  int     `json:"refused"` // 4xx
	MedianMS float64 `json:"median_ms"`
	P95MS    float64 `json:"p95_ms"`
}

// Verdict is the reason for returning to the old version.
type Verdict struct {
	Rule string  `json:"rule"` // fails, refuses, slow; not_ready, down, silent: see machine.go
	Text string  `json:"text"` // one sentence
	New  Figures `json:"new"`
	Old  Figures `json:"old"`
}

func newJudge() *judge { return &judge{timed: map[string]int{}} }

// add takes a sample.
func (j *judge) add(s Sample, now time.Time) {
	f := &j.figures[0]
	if s.New {
		f = &j.figures[1]
	}
	f.Requests++
	if s.Failed {
		f.Failed++
	}
	if s.Refused {
		f.Refused++
	}
	j.rules[byFailures].add(s.New, s.Failed, j.alone, now)
	j.rules[byRefusals].add(s.New, s.Refused, j.alone, now)
	if s.Took > 0 && !s.Failed {
		j.time(s, now)
	}
}

// time adds the duration of a request.
func (j *judge) time(s Sample, now time.Time) {
	slow, long, known := j.old.known.limits()
	if s.New {
		j.new.add(s.Took)
		j.timed[s.Upstream]++
	} else {
		j.old.add(s.Took)
	}
	if known && (!s.New || j.timed[s.Upstream] > coldSamples) {
		j.rules[bySlowness].add(s.New, s.Took > slow, j.alone, now)
		j.rules[byLength].add(s.New, s.Took > long, j.alone, now)
	}
}

// verdict returns the reason that the new version is worse; nil = none known.
func (j *judge) verdict() *Verdict {
	for i := range j.rules {
		if r := &j.rules[i]; !slices.Contains(j.ignore, ruleNames[i]) && (r.worse(margins[i]) || j.alone && r.relapsed(margins[i], spans[i])) {
			return j.found(i)
		}
	}
	return nil
}

// suspects reports whether there is evidence against the new version that may be chance.
func (j *judge) suspects() bool {
	for i := range j.rules {
		if !slices.Contains(j.ignore, ruleNames[i]) && j.rules[i].suspects() {
			return true
		}
	}
	return false
}

func (j *judge) found(i int) *Verdict {
	v := &Verdict{Rule: ruleNames[i]}
	v.New, v.Old = j.seen()
	while := "at the same time"
	if j.alone {
		while = "before"
	}
	share := func(n, of int) string { return fmt.Sprintf("%d of %d requests", n, of) }
	switch i {
	case byFailures:
		v.Text = fmt.Sprintf("the new version failed %s, the old version %s %s", share(v.New.Failed, v.New.Requests), share(v.Old.Failed, v.Old.Requests), while)
	case byRefusals:
		v.Text = fmt.Sprintf("the new version answered 4xx to %s, the old version to %s %s", share(v.New.Refused, v.New.Requests), share(v.Old.Refused, v.Old.Requests), while)
	default:
		v.Text = fmt.Sprintf("the new version takes %s (95 %%: %s), the old version took %s (95 %%: %s) %s", InWords(v.New.MedianMS), InWords(v.New.P95MS), InWords(v.Old.MedianMS), InWords(v.Old.P95MS), while)
	}
	return v
}

// seen returns the figures of both versions.
func (j *judge) seen() (fresh, settled Figures) {
	settled, fresh = j.figures[0], j.figures[1]
	settled.timed(&j.old)
	fresh.timed(&j.new)
	return fresh, settled
}

func (f *Figures) timed(t *times) {
	q := t.quantiles()
	f.MedianMS, f.P95MS = milliseconds(q.median), milliseconds(q.p95)
}

// InWords writes a time with its unit, and with four digits at most while it is short.
func InWords(ms float64) string {
	if ms >= 9999.5 { // %.4g would write an exponent
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return fmt.Sprintf("%.4g ms", ms)
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
