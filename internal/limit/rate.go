package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// RateOptions configure [Rates].
type RateOptions struct {
	PerSecond float64 // requests a second for each key
	Burst     int     // requests at once after a pause; 0 = those of one second
	MaxKeys   int     // keys remembered; 0 = 65536
}

// Rates limits the rate of requests of each key: a client, an API key, a route. An
// unknown key has its whole burst. Beyond MaxKeys, Rates drops the keys with the fullest
// buckets, because that changes the least: a client that keeps sending stays limited,
// however many other clients come. It is safe for concurrent use.
type Rates struct {
	opts   RateOptions
	shards [shardCount]shard
}

const (
	shardCount = 16
	sample     = 8 // buckets to compare when one must be dropped
)

type shard struct {
	mu      sync.Mutex // protects buckets
	buckets map[uint64]*rate.Limiter
}

// NewRates returns rates without keys.
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

// Verdict is the decision of a rate about a request.
type Verdict struct {
	OK        bool
	Remaining int           // further requests allowed at once
	Reset     time.Duration // until the burst is complete again
	Retry     time.Duration // until the next request would be admitted; 0 if OK
}

// Allow takes a token from the key's bucket.
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

// Reserve takes a token like Allow, and returns a function that returns the token. Call
// it soon.
func (r *Rates) Reserve(key uint64, now time.Time) (v Verdict, giveBack func()) {
	b := r.bucket(key, now)
	res := b.ReserveN(now, 1)
	if wait := res.DelayFrom(now); wait > 0 {
		res.CancelAt(now)
		return Verdict{Retry: wait}, func() {}
	}
	return Verdict{OK: true}, func() { res.CancelAt(now) }
}

// duration returns the time for a number of tokens.
func (r *Rates) duration(tokens float64) time.Duration {
	return time.Duration(max(tokens, 0) / r.opts.PerSecond * float64(time.Second))
}

// Keys returns the number of remembered keys.
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

// forget drops the fullest of some buckets, chosen by the random order of the map. mu
// must be held.
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
