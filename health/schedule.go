package health

import (
	"math/rand/v2"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

const (
	// An upstream that has just gone down is most often restarting. So it is probed every
	// eagerInterval for eagerFor, then at the fast interval until slowAfter. A longer
	// outage is no restart.
	eagerInterval = 100 * time.Millisecond
	eagerFor      = 10 * time.Second
	slowAfter     = time.Minute

	// fastShare bounds the load if very many upstreams are down at once: a fast interval
	// is at least fastShare times the number of upstreams, so that together they make at
	// most 10,000 probes a second.
	fastShare = 100 * time.Microsecond
)

// schedule decides when to probe one upstream next. It belongs to one goroutine.
type schedule struct {
	interval time.Duration
	fast     time.Duration
	jitter   float64

	downSince time.Time // zero = not down
	spread    bool      // the random phase has been drawn since the interval was last fast
}

// next returns the time from the start of the last probe to the start of the next.
// settled: the last result agreed with the verdict. watched: the number of upstreams that
// share the load.
func (s *schedule) next(now time.Time, verdict balancer.Health, settled bool, watched int) time.Duration {
	d := s.pace(now, verdict, settled)
	if d < s.interval {
		s.spread = false
		d = min(max(d, time.Duration(watched)*fastShare), s.interval)
		return s.vary(d)
	}
	if !s.spread {
		// Otherwise the checker would probe a set that starts, or returns, at the same
		// moment together for ever.
		s.spread = true
		return 1 + rand.N(d)
	}
	return s.vary(d)
}

// pace is the rule without chance.
func (s *schedule) pace(now time.Time, verdict balancer.Health, settled bool) time.Duration {
	if verdict != balancer.Down {
		s.downSince = time.Time{}
	} else if s.downSince.IsZero() {
		s.downSince = now
	}
	if verdict == balancer.Down {
		switch down := now.Sub(s.downSince); {
		case down < eagerFor:
			return s.eager()
		case down < slowAfter:
			return s.fast
		}
	}
	if !settled || verdict == balancer.Checking || verdict == balancer.Draining {
		return s.fast
	}
	return s.interval
}

func (s *schedule) eager() time.Duration { return min(s.fast, eagerInterval) }

// gap is the shortest time between probes that live traffic asks for.
func (s *schedule) gap() time.Duration { return s.eager() / 2 }

func (s *schedule) vary(d time.Duration) time.Duration {
	return d + time.Duration(s.jitter*(2*rand.Float64()-1)*float64(d))
}
