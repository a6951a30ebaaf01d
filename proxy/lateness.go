package proxy

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// lateness is the evidence that an upstream causes the lateness of its requests. It is a
// sum that rises with each late request, falls with each timely one, and is never
// negative (CUSUM: E. S. Page, "Continuous Inspection Schemes", Biometrika 41, 1954). The
// zero value has no evidence. It is safe for concurrent use; updates at the same moment
// may get lost.
type lateness struct {
	sum    atomic.Int64 // thousandths of a natural logarithm
	latest atomic.Int64 // duration of the latest answer; nanoseconds
	at     atomic.Int64 // time of the latest answer; Unix nanoseconds
}

const (
	// lateShare is the least share of late requests of an upstream in trouble.
	lateShare = 0.7
	// strongLateness is the sum at which trouble is 10,000 times as likely as no trouble.
	// mostLateness bounds the sum, so that it can fall again soon.
	strongLateness = 9210
	mostLateness   = 2 * strongLateness
	// muchLonger is the highest ratio, of a request's wait to the time of its upstream's
	// latest answer, at which the upstream can be the cause.
	muchLonger = 5
)

// weights are the amounts that one late and one timely request add to the sum: the
// logarithm of how much likelier such a request is at an upstream in trouble. A healthy
// upstream has the share of late requests that the quantile leaves.
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

// answered records the duration of an answer.
func (l *lateness) answered(took time.Duration, now time.Time) {
	l.latest.Store(int64(took))
	l.at.Store(now.UnixNano())
}

// explains reports whether the upstream's latest duration could explain the wait of a
// request. A request that waits much longer than others answered meanwhile is slow
// itself.
func (l *lateness) explains(since time.Time, waited time.Duration) bool {
	return l.at.Load() < since.UnixNano() || waited <= muchLonger*time.Duration(l.latest.Load())
}

func (l *lateness) strong() bool { return l.sum.Load() >= strongLateness }

// stronger reports whether there is strong evidence against l compared with another, so
// that a common cause is excluded.
func (l *lateness) stronger(other *lateness) bool {
	return l.sum.Load()-other.sum.Load() >= strongLateness
}

// latenessOf returns the lateness of an upstream of a [Pool].
func latenessOf(u *balancer.Upstream) *lateness { return &u.Link().(*endpointRef).lateness }

func (a *attempt) lateness() *lateness { return latenessOf(a.m.Upstream) }
