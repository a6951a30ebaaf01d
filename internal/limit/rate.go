package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// RateOptions configure [Rates].
type RateOptions struct {
	PerSecond float64 // requests a second for each key
	Burst     int     // requests at once after a pause; 0 = one second's
	MaxKeys   int     // keys remembered; 0 = 65536
}

// Rates bound the rate of requests for each key: a client, an API key, a
// route. A key that is not known has its whole burst. When more keys come than
// may be remembered, those with the fullest buckets are forgotten, because that
// changes the least: a client that keeps sending stays limited however many
// others come. It is safe for concurrent use.
type Rates struct {
	opts   RateOptions
	shards [shardCount]shard
}

const (
	shardCount = 16
	sample     = 8 // buckets looked at to find one to forget
)

type shard struct {
	mu      sync.Mutex // protects buckets
	buckets map[uint64]*rate.Limiter
}

// NewRates returns rates that know no key.
func NewRates(o RateOptions) *Rates {
	if o.MaxKeys == 0 {
		o.MaxKeys = 65536
	}
	if o.Burst == 0 {
		o.Burst = max(int(o.PerSecond), 1)
	}
	r := &Rates{opts: o}
	for i := range r.shards {
		r.shards[i].buckets = map[uint64]*rate.Limiter{}
	}
	return r
}

// Verdict is what a rate says about a request.
type Verdict struct {
	OK        bool
	Remaining int           // requests that may still come at once
	Reset     time.Duration // until the burst is whole again
	Retry     time.Duration // until the next request would be let in; 0 when OK
}

// Allow takes a token of the key's bucket.
func (r *Rates) Allow(key uint64, now time.Time) Verdict {
	b := r.bucket(key, now)
	v := Verdict{OK: b.AllowN(now, 1)}
	tokens := b.TokensAt(now)
	v.Remaining = max(int(tokens), 0)
	v.Reset = r.duration(float64(r.opts.Burst) - tokens)
	if !v.OK {
		v.Retry = r.duration(1 - tokens)
	}
	return v
}

// Reserve takes a token like Allow, and returns how to give it back, which has to be
// soon.
func (r *Rates) Reserve(key uint64, now time.Time) (v Verdict, giveBack func()) {
	b := r.bucket(key, now)
	res := b.ReserveN(now, 1)
	if wait := res.DelayFrom(now); wait > 0 {
		res.CancelAt(now)
		return Verdict{Retry: wait}, func() {}
	}
	return Verdict{OK: true}, func() { res.CancelAt(now) }
}

// duration returns how long so many tokens take.
func (r *Rates) duration(tokens float64) time.Duration {
	return time.Duration(max(tokens, 0) / r.opts.PerSecond * float64(time.Second))
}

// Keys returns the number of keys that are remembered.
func (r *Rates) Keys() int {
	n := 0
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		n += len(s.buckets)
		s.mu.Unlock()
	}
	return n
}

func (r *Rates) bucket(key uint64, now time.Time) *rate.Limiter {
	s := &r.shards[key%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[key]
	if b == nil {
		if len(s.buckets) >= max(r.opts.MaxKeys/shardCount, 1) {
			s.forget(now)
		}
		b = rate.NewLimiter(rate.Limit(r.opts.PerSecond), r.opts.Burst)
		s.buckets[key] = b
	}
	return b
}

// forget drops the fullest of some buckets; which those are is up to the map,
// whose order is random. Called with mu held.
func (s *shard) forget(now time.Time) {
	var fullest uint64
	most := -1.0
	n := 0
	for key, b := range s.buckets {
		if t := b.TokensAt(now); t > most {
			fullest, most = key, t
		}
		if n++; n == sample {
			break
		}
	}
	delete(s.buckets, fullest)
}
