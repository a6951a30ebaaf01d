package proxy

import (
	"time"

	"github.com/goodgate/goodgate/balancer"
)

const (
	// unacked is the time without a TCP acknowledgement after which an upstream counts as
	// unreachable. Linux retransmits a lost packet after 200 ms.
	unacked = 300 * time.Millisecond
	// freshest and stalest bound the age of a sign of life. The limit in between is a
	// quarter of the time that the request has waited.
	freshest = 100 * time.Millisecond
	stalest  = time.Second
	// aroundMost bounds the upstreams that are probed when one may hang.
	aroundMost = 8
)

// suspicion is the evidence that an upstream makes an attempt wait too long, or without
// end. If the pool hedges on evidence, lateness alone is none: the request may wait for a
// message, or for a report.
type suspicion uint8

const (
	unsuspected suspicion = iota
	tooLate               // and, when hedging on evidence, other requests of the upstream are late too
	unsent                // no byte has left for lack of a connection, so the application has not seen it
	unheard               // the upstream's TCP acknowledges nothing: the connection or the network is dead
	hung                  // the upstream answers neither a probe nor anything else
)

// String returns the word for the log, empty without a suspicion.
func (s suspicion) String() string {
	return [...]string{unsuspected: "", tooLate: "late", unsent: "not_sent", unheard: "not_acknowledged", hung: "hung"}[s]
}

// suspect returns the evidence against an attempt's upstream. A sticky, hashed or
// streaming request stays on its upstream however late it is, as long as the upstream
// runs.
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
	case balancer.Unknown: // if it hangs, the states of the others should be known by then
		d.pool.askAround(now)
	}
	return unsuspected
}

// askAround requests probes of upstreams without recent signs of life.
func (p *Pool) askAround(now time.Time) {
	members := p.Members()
	for i := range min(len(members), aroundMost) {
		members[i].Pulse(now, freshest)
	}
}

// noteLate reports whether an attempt is late, and counts its lateness once. When the
// hedge is late as well, the request itself is slow, and the first attempt's lateness is
// taken back.
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

// clear takes back the lateness that an attempt has counted against its upstream.
func (d *delivery) clear(a *attempt) {
	if a.late && !a.cleared {
		a.cleared = true
		a.lateness().takeBack(d.pool.hedging.weights)
	}
}
