package verdict

import (
	"fmt"
	"math/rand/v2"
)

// Word is a verdict.
type Word int

// The verdicts on B, compared with A.
const (
	Unknown Word = iota // not enough evidence yet
	Same                // not worse than tolerated
	Worse
)

var words = [...]string{"not known yet", "the same", "worse"}

func (w Word) String() string { return words[w] }

// MarshalText writes unknown, same or worse.
func (w Word) MarshalText() ([]byte, error) {
	return []byte([...]string{"unknown", "same", "worse"}[w]), nil
}

// UnmarshalText reads what MarshalText writes.
func (w *Word) UnmarshalText(text []byte) error {
	for _, known := range []Word{Unknown, Same, Worse} {
		if t, _ := known.MarshalText(); string(t) == string(text) {
			*w = known
			return nil
		}
	}
	return fmt.Errorf("verdict %q: it must be unknown, same or worse", text)
}

// The chances of false alarms, for each of the three tests of a pair of sides.
const (
	stakeFirst = 0.001 // once, for the test from the first block on
	stakeDaily = 0.001 // per day
	stakeBlock = stakeDaily / 86400
	stakeSame  = 0.02 // of calling a worse side the same
	knownSame  = 8    // limit on the evidence for Same, so that it falls soon after a change
)

// Options has the tolerances.
type Options struct {
	Errors  float64 // additional failed requests, as a share of all, for example 0.005
	Latency float64 // additional latency, as a share of the first side's, for example 0.25
}

// Cause is the respect in which B is worse; empty = none.
type Cause string

// The causes.
const (
	Errors  Cause = "errors"
	Latency Cause = "latency" // the median
	Tail    Cause = "tail"    // the 95th percentile
)

// causes lists the causes in the order of Judge's tests.
var causes = [...]Cause{Errors, Latency, Tail}

// Side has the counts of one side in a block.
type Side struct {
	Requests, Errors int
	Timed            int // requests with a known latency
	Slow, VerySlow   int // of Timed
}

// Block has the counts of both sides in the same second. A is the first side, the
// reference.
type Block struct{ A, B Side }

// Judge compares one side with the first. Create it with [NewJudge].
type Judge struct {
	opts   Options
	random *rand.Rand // decides which requests of A count as failed, to tolerate Errors
	worse  [len(causes)]Evidence
	same   [len(causes)]Evidence
	a, b   Side      // all requests since the last Step
	lately [2]recent // failures of A and B
}

// recent is a failure rate in which older requests weigh less.
type recent struct{ n, failed float64 }

const recently = 0.99 // per block: the last 69 blocks have half of the weight

func (r *recent) add(s Side) {
	r.n = r.n*recently + float64(s.Requests)
	r.failed = r.failed*recently + float64(s.Errors)
}

func (r *recent) share() float64 {
	if r.n == 0 {
		return 0
	}
	return r.failed / r.n
}

// NewJudge returns a judge without evidence.
func NewJudge(o Options, random *rand.Rand) *Judge {
	j := &Judge{opts: o, random: random}
	for i := range j.worse {
		j.worse[i].Stake(stakeFirst)
	}
	j.Step()
	return j
}

// Step drops the evidence that the sides are the same, because the weights and
// therefore the load have changed. Evidence of being worse stays.
func (j *Judge) Step() {
	j.a, j.b = Side{}, Side{}
	for i := range j.same {
		j.same[i] = Evidence{limit: knownSame}
		j.same[i].Stake(stakeSame)
	}
}

// Add adds a completed block.
func (j *Judge) Add(k Block) {
	j.a.add(k.A)
	j.b.add(k.B)
	j.lately[0].add(k.A)
	j.lately[1].add(k.B)
	failedA := Tally{k.A.Requests, k.A.Errors}
	failedB := Tally{k.B.Requests, k.B.Errors}
	slowA, slowB := Tally{k.A.Timed, k.A.Slow}, Tally{k.B.Timed, k.B.Slow}
	verySlowA, verySlowB := Tally{k.A.Timed, k.A.VerySlow}, Tally{k.B.Timed, k.B.VerySlow}
	for i := range j.worse {
		j.worse[i].Stake(stakeBlock)
	}
	j.worse[0].Add(failedA, failedB)
	j.worse[1].Add(slowA, slowB)
	j.worse[2].Add(verySlowA, verySlowB)
	j.same[0].Add(failedB, j.tolerating(failedA))
	j.same[1].Add(slowB, slowA)
	j.same[2].Add(verySlowB, verySlowA)
}

// tolerating adds the tolerated share of failures to A's. B is the same once it surely
// fails less often than that.
func (j *Judge) tolerating(a Tally) Tally {
	for range a.N - a.Events {
		if j.random.Float64() < j.opts.Errors {
			a.Events++
		}
	}
	return a
}

func (s *Side) add(o Side) {
	s.Requests += o.Requests
	s.Errors += o.Errors
	s.Timed += o.Timed
	s.Slow += o.Slow
	s.VerySlow += o.VerySlow
}

// Verdict returns the present verdict and, if B is worse, the cause.
//
// For errors, two conditions must hold: B surely fails more often, and its recent
// failure rate is higher by more than the tolerance.
func (j *Judge) Verdict() (Word, Cause) {
	for i, e := range j.worse {
		if e.Total() >= 1 && (causes[i] != Errors || j.lately[1].share()-j.lately[0].share() > j.opts.Errors) {
			return Worse, causes[i]
		}
	}
	for _, e := range j.same {
		if e.Total() < 1 {
			return Unknown, ""
		}
	}
	return Same, ""
}

// Seen returns the counts of both sides since the last Step.
func (j *Judge) Seen() (a, b Side) { return j.a, j.b }
