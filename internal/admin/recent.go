package admin

import (
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
)

// Counts are what became of a pool's requests since goodgate was started.
type Counts struct {
	Requests uint64                       `json:"requests"`
	Escaped  map[string]uint64            `json:"escaped"`  // gateway errors that clients saw, by reason
	Absorbed map[string]map[string]uint64 `json:"absorbed"` // and those that were hidden, by means and reason
	Refused  map[string]uint64            `json:"refused"`  // what else failed, by reason: limits, clients that left
}

// Past is what became of a pool's requests second by second, the last whole
// second at the end.
type Past struct {
	Requests []uint32  `json:"requests"`
	Escaped  []uint32  `json:"escaped"`
	Absorbed []uint32  `json:"absorbed"`
	Refused  []uint32  `json:"refused"`
	P50MS    []float64 `json:"p50_ms"` // 0 = no request
	P99MS    []float64 `json:"p99_ms"`
}

// Minute is what became of attempts on an upstream in the last minute.
type Minute struct {
	Attempts int            `json:"attempts"`
	Failed   int            `json:"failed"`
	MeanMS   float64        `json:"mean_ms"`          // to the response header; 0 = not known
	Reasons  map[string]int `json:"reasons"`          // of what failed
	Status   int            `json:"status,omitempty"` // of the latest answer that counted as a failure
}

// recent is what a pool's last minute comes to.
type recent struct {
	requests, escaped, overloaded uint64
	p50, p99                      time.Duration
	perSecond                     float64       // requests, in the last ten seconds
	refusals                      float64       // requests refused for overload a second, in the last ten
	queue                         time.Duration // mean wait of those that queued in the last ten seconds
}

// lately is how far back rates look, in seconds.
const lately = 10

// pool returns what is known of a pool, all zero when it has had no request.
func (t *Tally) pool(name string, now int64) (Counts, Past, recent) {
	c := Counts{Escaped: map[string]uint64{}, Absorbed: map[string]map[string]uint64{}, Refused: map[string]uint64{}}
	past := Past{
		Requests: make([]uint32, pastSeconds), Escaped: make([]uint32, pastSeconds), Absorbed: make([]uint32, pastSeconds),
		Refused: make([]uint32, pastSeconds), P50MS: make([]float64, pastSeconds), P99MS: make([]float64, pastSeconds),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pools[name]
	if p == nil {
		return c, past, recent{}
	}
	c.Requests = p.requests
	for r, n := range p.escaped {
		c.Escaped[r.String()] = n
	}
	for r, n := range p.refused {
		c.Refused[r.String()] = n
	}
	for m, n := range p.absorbed {
		by := m.by.String()
		if c.Absorbed[by] == nil {
			c.Absorbed[by] = map[string]uint64{}
		}
		c.Absorbed[by][m.why.String()] += n
	}
	return c, past, p.fill(&past, now)
}

// fill writes the seconds before now into past, and sums them up.
func (p *poolTally) fill(past *Past, now int64) (sum recent) {
	var took histogram
	var late struct {
		requests, overloaded, queued uint32
		queue                        time.Duration
	}
	for i := range past.Requests {
		at := now - pastSeconds + int64(i)
		s := &p.past[((at%pastSeconds)+pastSeconds)%pastSeconds]
		if s.at != at {
			continue
		}
		past.Requests[i], past.Escaped[i], past.Absorbed[i], past.Refused[i] = s.requests, s.escaped, s.absorbed, s.refused
		past.P50MS[i], past.P99MS[i] = milliseconds(s.took.quantile(.5)), milliseconds(s.took.quantile(.99))
		took.merge(&s.took)
		sum.requests += uint64(s.requests)
		sum.escaped += uint64(s.escaped)
		sum.overloaded += uint64(s.overloaded)
		if i >= pastSeconds-lately {
			late.requests += s.requests
			late.overloaded += s.overloaded
			late.queued += s.queued
			late.queue += s.queue
		}
	}
	sum.p50, sum.p99 = took.quantile(.5), took.quantile(.99)
	sum.perSecond, sum.refusals = float64(late.requests)/lately, float64(late.overloaded)/lately
	if late.queued > 0 {
		sum.queue = late.queue / time.Duration(late.queued)
	}
	return sum
}

// upstream returns what became of attempts on an upstream.
func (t *Tally) upstream(k balancer.Key, now int64) Minute {
	m := Minute{Reasons: map[string]int{}}
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.upstreams[k]
	if u == nil {
		return m
	}
	answered, took := 0, time.Duration(0)
	for i := range u.past {
		s := &u.past[i]
		if s.at <= now/pieceLength-pieces {
			continue
		}
		m.Attempts += int(s.attempts)
		m.Failed += int(s.failed)
		answered += int(s.answered)
		took += s.took
		for r, n := range s.reasons {
			m.Reasons[r.String()] += int(n)
			if r == reason.UpstreamStatus {
				m.Status = u.status
			}
		}
	}
	if answered > 0 {
		m.MeanMS = milliseconds(took / time.Duration(answered))
	}
	return m
}
