package proxy

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// lateness is the evidence that an upstream's requests are late because of it: a sum
// that rises with each that is late, falls with each that is not, and is never below
// zero. (E. S. Page, "Continuous Inspection Schemes", Biometrika 41, 1954: CUSUM.) The
// zero value has seen nothing. It is exact but for what is lost when many change it
// at once.
type lateness struct {
	sum    atomic.Int64 // thousandths of a natural logarithm
	latest atomic.Int64 // how long the latest answer took; nanoseconds
	at     atomic.Int64 // when that came; Unix nanoseconds
}

const (
	// lateShare is the share of late requests that an upstream in trouble has at
	// least.
	lateShare = 0.7
	// strongLateness is when it is 10,000 times as likely that the upstream is in
	// trouble, and most how far that may go, so that it can be gone soon.
	strongLateness = 9210
	mostLateness   = 2 * strongLateness
	// muchLonger is how many times as long as an upstream's latest answer a request
	// may wait because of the upstream.
	muchLonger = 5
)

// weights are what one request adds to the evidence, by how much more or less likely
// it is for an upstream in trouble. In others, the share of late requests is what the
// quantile leaves.
type weights struct{ late, timely int64 }

func newWeights(share float64) weights {
	usual := 0.05
	if share > 0 {
		usual = 1 - share
	}
	return weights{int64(1000 * math.Log(lateShare/usual)), int64(1000 * math.Log((1-lateShare)/(1-usual)))}
}

func (l *lateness) late(w weights) { l.sum.Store(min(l.sum.Load()+w.late, mostLateness)) }

func (l *lateness) timely(w weights) {
	if sum := l.sum.Load(); sum > 0 {
		l.sum.Store(max(sum+w.timely, 0))
	}
}

func (l *lateness) takeBack(w weights) { l.sum.Store(max(l.sum.Load()-w.late, 0)) }

// answered notes how long an answer took.
func (l *lateness) answered(took time.Duration, now time.Time) {
	l.latest.Store(int64(took))
	l.at.Store(now.UnixNano())
}

// explains reports whether an upstream that takes as long as it does could be why a
// request waits. One that waits much longer than what it answers meanwhile takes long by
// its nature.
func (l *lateness) explains(since time.Time, waited time.Duration) bool {
	return l.at.Load() < since.UnixNano() || waited <= muchLonger*time.Duration(l.latest.Load())
}

func (l *lateness) strong() bool { return l.sum.Load() >= strongLateness }

// stronger reports whether there is strong evidence against l in comparison with
// another, so that it is nothing that both suffer from.
func (l *lateness) stronger(other *lateness) bool {
	return l.sum.Load()-other.sum.Load() >= strongLateness
}

// latenessOf returns what is kept of an upstream of a [Pool].
func latenessOf(u *balancer.Upstream) *lateness { return &u.Link().(*endpointRef).lateness }

func (a *attempt) lateness() *lateness { return latenessOf(a.m.Upstream) }
