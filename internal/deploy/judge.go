package deploy

import (
	"fmt"
	"slices"
	"time"
)

// Sample is what the first attempt of a request has shown of the upstream that it was sent
// to. That one is drawn by chance, so that both versions get the same kind of requests.
type Sample struct {
	New      bool          // the upstream runs the new version
	Upstream string        // its address
	Failed   bool          // no answer, one that broke off, or an error of the server (5xx)
	Refused  bool          // an error of the client (4xx)
	Took     time.Duration // to the response header; 0 = it tells nothing: the client sent a body, or there was no answer
}

// judge compares a new version with the old one, by samples of requests that were sent at
// the same time. Once nobody is sent to the old one any more, it compares with how that one
// was. It is for one goroutine at a time. Use newJudge.
type judge struct {
	rules   [len(ruleNames)]rule
	old     times
	new     times
	timed   map[string]int // samples with a time, by upstream of the new version
	ignore  []string       // names of rules that count for nothing
	alone   bool           // nobody is sent to the old version any more
	figures [2]Figures     // of the old version, and of the new one
}

// What is compared, in the order of judge.rules.
const (
	byFailures = iota
	byRefusals
	bySlowness
	byLength
)

// ruleNames are the words for what a new version was taken back for, in the answers of the
// API and the log.
var ruleNames = [...]string{byFailures: "fails", byRefusals: "refuses", bySlowness: "slow", byLength: "slow"}

// margins are by how much a new version has to be worse, in shares of the requests. A
// difference that is smaller is none that a deploy should end for.
var margins = [...]float64{byFailures: 0.005, byRefusals: 0.1, bySlowness: 0.2, byLength: 0.2}

// coldSamples are not held against an upstream of the new version: the first requests to
// a process that has just been started take longer.
const coldSamples = 5

// Figures are of the requests to one version, by their first attempts.
type Figures struct {
	Requests int     `json:"requests"`
	Failed   int     `json:"failed"`  // without a whole answer, or with a 5xx
	Refused  int     `json:"refused"` // with a 4xx
	MedianMS float64 `json:"median_ms"`
	P95MS    float64 `json:"p95_ms"`
}

// Verdict is why a new version is taken back.
type Verdict struct {
	Rule string  `json:"rule"` // fails, refuses, slow; not_ready, down, silent: see the machine
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

// time takes how long a request took.
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

// verdict returns why the new version is worse; nil = it is not known to be.
func (j *judge) verdict() *Verdict {
	for i := range j.rules {
		if r := &j.rules[i]; !slices.Contains(j.ignore, ruleNames[i]) && (r.worse(margins[i]) || j.alone && r.relapsed(margins[i])) {
			return j.found(i)
		}
	}
	return nil
}

// suspects reports whether something speaks against the new version that may be chance.
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
		v.Text = fmt.Sprintf("the new version failed for %s, the old one for %s %s", share(v.New.Failed, v.New.Requests), share(v.Old.Failed, v.Old.Requests), while)
	case byRefusals:
		v.Text = fmt.Sprintf("the new version answered 4xx to %s, the old one to %s %s", share(v.New.Refused, v.New.Requests), share(v.Old.Refused, v.Old.Requests), while)
	default:
		v.Text = fmt.Sprintf("the new version takes %.4g ms (95 %%: %.4g ms), the old one took %.4g ms (95 %%: %.4g ms) %s", v.New.MedianMS, v.New.P95MS, v.Old.MedianMS, v.Old.P95MS, while)
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

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
