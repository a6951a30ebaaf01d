package proxy

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

const (
	// unacked is after how long without a word of its TCP an upstream is out of
	// reach. Linux sends a packet that got lost again after 200 ms.
	unacked = 300 * time.Millisecond
	// freshest and stalest are how old a sign of life may be: a quarter of the time
	// that the request has waited, within these bounds.
	freshest = 100 * time.Millisecond
	stalest  = time.Second
	// aroundMost is how many upstreams are asked when one may hang.
	aroundMost = 8
)

// suspicion is why an attempt is thought to wait in vain, or too long, because of its
// upstream. That it is late is no reason by itself when the pool hedges on evidence:
// it may wait for a message, or for a report.
type suspicion uint8

const (
	unsuspected suspicion = iota
	tooLate               // and so were the upstream's other requests, if that is asked for
	unsent                // no byte has left, for want of a connection: the application has not seen it
	unheard               // the upstream's TCP acknowledges nothing: the connection is dead, or the network
	hung                  // the upstream leaves a probe unanswered, and everything else
)

// String returns the word for it in the log, empty without a suspicion.
func (s suspicion) String() string {
	return [...]string{unsuspected: "", tooLate: "late", unsent: "not_sent", unheard: "not_acknowledged", hung: "hung"}[s]
}

// suspect tells whether there is evidence against an attempt's upstream. A request that
// belongs to its upstream stays there however late it is, as long as that runs.
func (d *delivery) suspect(a *attempt, now time.Time) suspicion {
	waited := now.Sub(a.started)
	late := d.noteLate(a, waited) && !d.belongs()
	onEvidence := d.pool.hedging.opts.OnEvidence
	switch {
	case onEvidence && a.call.Written() == 0:
		return unsent
	case late && (!onEvidence || a.lateness().strong() && a.lateness().explains(a.started, waited)):
		return tooLate
	case !onEvidence:
		return unsuspected
	case a.call.Unacknowledged(unacked):
		return unheard
	}
	switch a.m.Pulse(now, min(max(waited/4, freshest), stalest)) {
	case balancer.Hung:
		return hung
	case balancer.Unknown: // if it hangs, it should be known by then who else does
		d.pool.askAround(now)
	}
	return unsuspected
}

// askAround asks for probes of upstreams of which nothing was heard lately.
func (p *Pool) askAround(now time.Time) {
	members := p.Members()
	for i := range min(len(members), aroundMost) {
		members[i].Pulse(now, freshest)
	}
}

// noteLate reports whether an attempt is late, and counts that once. A request that is
// late elsewhere as well takes long by its nature: it says nothing about the first.
func (d *delivery) noteLate(a *attempt, waited time.Duration) bool {
	h := d.pool.hedging
	if after := h.late(); !a.late && after > 0 && waited >= after {
		a.late = true
		if a.hedge {
			d.clear(d.hedgeable)
		} else {
			a.lateness().late(h.weights)
		}
	}
	return a.late
}

// clear takes back what an attempt has counted for against its upstream.
func (d *delivery) clear(a *attempt) {
	if a.late && !a.cleared {
		a.cleared = true
		a.lateness().takeBack(d.pool.hedging.weights)
	}
}

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
