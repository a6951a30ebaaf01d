package proxy

import (
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
	case late && (!onEvidence || a.m.Introduced() || a.lateness().strong() && a.lateness().explains(a.started, waited)):
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
