package reason

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
