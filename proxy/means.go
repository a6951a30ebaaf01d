package proxy

// Means is how goodgate kept an upstream's failure from the client. It is one
// word in the log and the metrics.
type Means uint8

const (
	ByNothing  Means = iota // nothing had failed, or it could not be hidden
	ByRetry                 // sent again, to another upstream as a rule
	ByHold                  // waited until an upstream could take it
	ByCommit                // a response that broke off before the client saw a byte, fetched again
	ByHedge                 // a second upstream answered before the first
	ByResume                // the rest of a response that broke off came from another upstream
	ByFallback              // the fallback pool's or the fixed answer
	ByStale                 // an older response from the cache (RFC 5861)

	numMeans
)

var means = [numMeans]string{
	ByNothing:  "none",
	ByRetry:    "retry",
	ByHold:     "hold",
	ByCommit:   "commit",
	ByHedge:    "hedge",
	ByResume:   "resume",
	ByFallback: "fallback",
	ByStale:    "stale",
}

// String returns the means' one word.
func (m Means) String() string { return means[m] }

// absorb tells what was hidden from the client and how: the means that the
// answer came by, else what the attempts and the wait show. The first failure is
// the one that counts.
func (r *Record) absorb() {
	if r.Reason != None {
		r.Absorbed, r.Hidden = ByNothing, None
		return
	}
	if r.Hidden != None { // what hid it has said so
		return
	}
	how, waited := ByNothing, r.Held > 0
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.Reason.Fault() != FaultUpstream {
			continue
		}
		if how == ByNothing {
			r.Hidden, how = a.Reason, a.hiddenBy()
		}
		waited = waited && a.Reason.free()
	}
	switch {
	case !waited:
	case how == ByNothing:
		r.Hidden, how = NoUpstream, ByHold
	default: // none could be reached until one could: it was the wait that helped
		how = ByHold
	}
	if r.Absorbed == ByNothing {
		r.Absorbed = how
	}
}

// hiddenBy is what an attempt that failed was hidden by, when another was
// answered.
func (a *Attempt) hiddenBy() Means {
	switch a.Reason {
	case ResponseTruncated, ResponseStalled:
		return ByCommit
	}
	return ByRetry
}
