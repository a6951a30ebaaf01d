package metrics

import (
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/printable"
)

// certExpiry is never changed.
var certExpiry = newDesc(namespace+"certificate_expiry_timestamp_seconds", "Expiry time of a listener's certificate.", "file")

// certificates reads the expiry times of certificates when it is collected.
type certificates struct {
	until atomic.Pointer[func() map[string]time.Time]
}

// SetCertificates sets the function that returns the expiry time of each certificate,
// by its file. It may be called again.
func (m *Metrics) SetCertificates(until func() map[string]time.Time) { m.certs.until.Store(&until) }

// Describe and Collect implement [collector].
func (c *certificates) Describe(ch chan<- *desc) { ch <- certExpiry }

func (c *certificates) Collect(ch chan<- metric) {
	until := c.until.Load()
	if until == nil {
		return
	}
	for file, t := range (*until)() {
		gauge(ch, certExpiry, float64(t.Unix()), printable.Text(file))
	}
}
