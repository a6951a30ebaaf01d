package admin

import (
	"time"

	"github.com/goodgate/goodgate/reason"
)

// Counts are the results of a pool's requests since the start of goodgate.
type Counts struct {
	Requests   uint64                       `json:"requests"`
	Escaped    map[string]uint64            `json:"escaped"`     // gateway errors that clients saw, by reason
	Absorbed   map[string]map[string]uint64 `json:"absorbed"`    // hidden errors, by means and reason
	Refused    map[string]uint64            `json:"refused"`     // other failures, by reason: limits, clients that left
	MadeFaster uint64                       `json:"made_faster"` // another upstream answered first, without a failure
}

// Sums are the same without reasons.
type Sums struct {
	Requests   uint64 `json:"requests"`
	Escaped    uint64 `json:"escaped"` // errors that clients saw
	Hidden     uint64 `json:"hidden"`  // errors that goodgate hid from clients
	MadeFaster uint64 `json:"made_faster"`
	Refused    uint64 `json:"refused"`
}

// LastMinute is the result of a pool's requests in the last minute, including the present
// second. It is 51 to 60 seconds long.
type LastMinute struct {
	Sums
	Held      uint64  `json:"held"`             // waited for an upstream
	P50MS     float64 `json:"p50_ms,omitempty"` // to the end of the response; absent with few requests
	P99MS     float64 `json:"p99_ms,omitempty"` // the same
	LongestMS float64 `json:"longest_ms"`       // 0 = no request
}

// Past is the result of a pool's requests second by second. The last whole second is at
// the end.
type Past struct {
	Requests   []uint32  `json:"requests"`
	Escaped    []uint32  `json:"escaped"`
	Absorbed   []uint32  `json:"absorbed"`
	Refused    []uint32  `json:"refused"`
	MadeFaster []uint32  `json:"made_faster"`
	P50MS      []float64 `json:"p50_ms"` // 0 = no request
	P99MS      []float64 `json:"p99_ms"`
}

// Minute is the result of the attempts on an upstream in the last minute, the same minute
// as its pool's.
type Minute struct {
	Attempts   int            `json:"attempts"`
	Failed     int            `json:"failed"`
	Escaped    int            `json:"escaped"`              // failed, and the client saw the error
	Abandoned  int            `json:"abandoned,omitempty"`  // another upstream answered first
	Answered   int            `json:"answered"`             // with any status
	MeanMS     float64        `json:"mean_ms"`              // to the response header; 0 = unknown
	P50MS      float64        `json:"p50_ms,omitempty"`     // absent with few answers
	P99MS      float64        `json:"p99_ms,omitempty"`     // the same
	LongestMS  float64        `json:"longest_ms,omitempty"` // 0 = no answer
	Slow       int            `json:"slow,omitempty"`       // answers that took a second or longer
	Late       int            `json:"late,omitempty"`       // abandoned because the upstream took longer than usual
	Errors     int            `json:"errors,omitempty"`     // errors of the application's own, passed on to the client, for example 500
	Reasons    map[string]int `json:"reasons"`              // of failed attempts
	Status     int            `json:"status,omitempty"`     // of the latest failed answer
	LastFailed time.Time      `json:"last_failed,omitzero"` // even if it is longer ago
	LastGood   time.Time      `json:"last_good,omitzero"`

	seen  sightings // of failed attempts
	again int       // failed, and the client saw another attempt's error
	hung  sightings // abandoned: the upstream seemed to hang
	slow  sightings // slow answers

	late   sightings // abandoned: took long
	passed sightings // of the application's own errors
	before usual
}

// second counts the requests that ended in one second.
type second struct {
	at                                           int64 // Unix time; another number = unused
	requests, escaped, absorbed, refused, faster uint32
	overloaded, queued, held                     uint32
	queue                                        time.Duration // total wait of queued requests
	longest                                      time.Duration
	took                                         histogram
}

// recent describes a pool's last seconds.
type recent struct {
	perSecond float64       // requests, in the last ten seconds
	refusals  float64       // requests refused for overload a second, in the last ten
	queue     time.Duration // mean wait of requests queued in the last ten seconds
}

// poolView is the tally of a pool at one moment.
type poolView struct {
	counts    Counts
	totals    Sums
	past      Past
	minute    LastMinute
	recent    recent
	seen      sightings // in the last minute
	upstreams map[string]Minute
}

// lately is the period of rates, in seconds.
const lately = 10

func (p *poolTally) view(now int64) poolView {
	v := poolView{counts: p.since(), past: newPast()}
	v.totals = Sums{Requests: p.requests, MadeFaster: p.faster, Escaped: sumOf(p.escaped), Refused: sumOf(p.refused)}
	for _, n := range p.absorbed {
		v.totals.Hidden += n
	}
	p.fill(&v, now)
	for s := range p.seen.last(now) {
		v.seen.merge(*s)
	}
	return v
}

func sumOf(all map[reason.Reason]uint64) (n uint64) {
	for _, one := range all {
		n += one
	}
	return n
}

// since returns the counts since the start.
func (p *poolTally) since() Counts {
	c := Counts{
		Requests: p.requests, MadeFaster: p.faster,
		Escaped: map[string]uint64{}, Absorbed: map[string]map[string]uint64{}, Refused: map[string]uint64{},
	}
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
	return c
}

func newPast() Past {
	counts := func() []uint32 { return make([]uint32, pastSeconds) }
	return Past{
		Requests: counts(), Escaped: counts(), Absorbed: counts(), Refused: counts(), MadeFaster: counts(),
		P50MS: make([]float64, pastSeconds), P99MS: make([]float64, pastSeconds),
	}
}

// fill adds the counts of each second.
func (p *poolTally) fill(v *poolView, now int64) {
	var took histogram
	var late second
	for i := range pastSeconds + 1 { // the present second comes last, and no chart shows it
		at := now - pastSeconds + int64(i)
		s := &p.past[slot(at, len(p.past))]
		if s.at != at {
			continue
		}
		if i < pastSeconds {
			v.past.take(i, s)
			if i >= pastSeconds-lately {
				late.requests += s.requests
				late.overloaded += s.overloaded
				late.queued += s.queued
				late.queue += s.queue
			}
		}
		if at >= begins(now) {
			v.minute.take(s)
			took.merge(&s.took)
		}
	}
	v.minute.P50MS, v.minute.P99MS = took.percentiles(int(v.minute.Requests))
	v.recent = recent{perSecond: float64(late.requests) / lately, refusals: float64(late.overloaded) / lately}
	if late.queued > 0 {
		v.recent.queue = late.queue / time.Duration(late.queued)
	}
}

func (p *Past) take(i int, s *second) {
	p.Requests[i], p.Escaped[i], p.Absorbed[i], p.Refused[i], p.MadeFaster[i] = s.requests, s.escaped, s.absorbed, s.refused, s.faster
	p.P50MS[i], p.P99MS[i] = milliseconds(s.took.quantile(.5)), milliseconds(s.took.quantile(.99))
}

func (m *LastMinute) take(s *second) {
	m.Requests += uint64(s.requests)
	m.Escaped += uint64(s.escaped)
	m.Hidden += uint64(s.absorbed)
	m.MadeFaster += uint64(s.faster)
	m.Refused += uint64(s.refused)
	m.Held += uint64(s.held)
	m.LongestMS = max(m.LongestMS, milliseconds(s.longest))
}
