package proxy

import "github.com/goodgate/goodgate/reason"

// absorb sets the failure that was hidden from the client, and the means. It uses the
// means that produced the answer, if that has recorded itself, else the attempts and the
// wait. The first failure counts.
func (r *Record) absorb() {
	if r.Reason != reason.None {
		r.Absorbed, r.Hidden = reason.ByNothing, reason.None
		return
	}
	if r.Hidden != reason.None { // the means has already recorded it
		return
	}
	how, waited, retried := reason.ByNothing, r.Held > 0, false
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.Reason.Fault() != reason.FaultUpstream {
			continue
		}
		if how == reason.ByNothing {
			r.Hidden, how, retried = a.Reason, a.Reason.HiddenBy(), a.Decision == reason.Retried
		}
		waited = waited && a.Reason.Free()
	}
	switch {
	case !waited:
	case how == reason.ByNothing:
		r.Hidden, how = reason.NoUpstream, reason.ByHold
	default: // no upstream was reachable until one was: the wait helped
		how = reason.ByHold
	}
	if r.Absorbed == reason.ByNothing || r.Absorbed == reason.ByHedge && retried { // the hedge came after the failure
		r.Absorbed = how
	}
}
