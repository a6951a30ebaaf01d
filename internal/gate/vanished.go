package gate

import "time"

const (
	// unacknowledged is how long a client may acknowledge no data and no keep-alive probe
	// until its connection fails. The kernel's own limit is a quarter of an hour.
	unacknowledged = 30 * time.Second

	// keepaliveAlone is how long Go's keep-alive alone takes to detect a silent client:
	// 15 s, and nine probes 15 s apart.
	keepaliveAlone = 150 * time.Second
)

// patience returns how long a client may acknowledge nothing; 0 = the kernel's limit. For
// the kernel, a client that does not read acknowledges nothing, so the bound is at least
// the listener's write timeout. A bound longer than keepaliveAlone would only delay
// detection.
func patience(writeIdle time.Duration) time.Duration {
	d := max(writeIdle, unacknowledged)
	if writeIdle <= 0 || d > keepaliveAlone {
		return 0
	}
	return d
}
