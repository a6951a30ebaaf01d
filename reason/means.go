package reason

// Means is how goodgate hid an upstream's failure from the client. It is one word in the
// log and the metrics.
type Means uint8

const (
	ByNothing  Means = iota // nothing failed, or the failure could not be hidden
	ByRetry                 // the request was sent again, normally to another upstream
	ByHold                  // the request waited until an upstream was available
	ByCommit                // a response that broke off before the client got a byte was fetched again
	ByHedge                 // a second upstream answered before the first
	ByResume                // the rest of a response that broke off came from another upstream
	ByFallback              // the fallback answered: its pool, or its fixed answer
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

// String returns the word.
func (m Means) String() string { return means[m] }
