package proxy

import "github.com/goodgate/goodgate/reason"

// absorb tells what was hidden from the client and how: the means that the
// answer came by, else what the attempts and the wait show. The first failure is
// the one that counts.
func (r *Record) absorb() {
	if r.Reason != reason.None {
		r.Absorbed, r.Hidden = reason.ByNothing, reason.None
		return
	}
	if r.Hidden != reason.None { // what hid it has said so
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
	default: // none could be reached until one could: it was the wait that helped
		how = reason.ByHold
	}
	if r.Absorbed == reason.ByNothing || r.Absorbed == reason.ByHedge && retried { // the hedge came after the failure
		r.Absorbed = how
	}
}
