package gate

import "time"

const (
	// unacknowledged is how long a client may acknowledge nothing that it was sent,
	// or that asks whether it is there, until its connection fails. The kernel's own
	// patience is a quarter of an hour.
	unacknowledged = 30 * time.Second

	// keepaliveAlone is how long Go's keep-alive alone takes to find a silent client
	// gone: 15 s, and nine probes 15 s apart.
	keepaliveAlone = 150 * time.Second
)

// patience returns how long a client may acknowledge nothing; 0 leaves it to the
// kernel. The kernel counts as such a client one that does not read, too, so it
// gets as long as the listener gives it. A bound longer than keep-alive takes
// would make that slower.
func patience(writeIdle time.Duration) time.Duration {
	d := max(writeIdle, unacknowledged)
	if writeIdle <= 0 || d > keepaliveAlone {
		return 0
	}
	return d
}
