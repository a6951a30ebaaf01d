package balancer

import (
	"sync/atomic"
	"time"
)

// spectrum counts durations by order of magnitude, in steps of a quarter of a power of
// two. It is safe for concurrent use; a duration added during clear may count before or
// after. The zero value is empty.
type spectrum [spectrumSteps]atomic.Uint32

const (
	spectrumSteps = 4 * 40 // up to 2^40 ns, 18 minutes
	spectrumFine  = 4
)

func (s *spectrum) add(d time.Duration) {
	s[min(uint(max(logOf(d), 0)*spectrumFine), spectrumSteps-1)].Add(1)
}

func (s *spectrum) count() (n uint64) {
	for i := range s {
		n += uint64(s[i].Load())
	}
	return n
}

// quantile returns a duration d: the given share of the durations is at most one step
// above d. It returns 0 if the spectrum is empty.
func (s *spectrum) quantile(share float64) time.Duration {
	left := share * float64(s.count())
	for i := range s {
		if n := float64(s[i].Load()); n > 0 {
			if left -= n; left <= 0 {
				return durationOf(float64(i) / spectrumFine)
			}
		}
	}
	return 0
}

func (s *spectrum) clear() {
	for i := range s {
		s[i].Store(0)
	}
}
