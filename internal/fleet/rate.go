package fleet

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/limit"
)

// RateOptions configure a [Rate].
type RateOptions struct {
	Place     string // place of the rule in the configuration: equal on all instances
	PerSecond float64
	Burst     int // requests at once after a pause; at least 1
	MaxKeys   int // keys remembered; 0 = 65536
	// Exact asks the engine for each request, for at most [ExactTimeout].
	Exact bool
}

// ExactTimeout bounds the wait of an exact rate's request for the engine.
const ExactTimeout = 20 * time.Millisecond

const (
	// exactPause is how long exact rates do not ask after the engine was too slow.
	exactPause = 250 * time.Millisecond
	// foresight is how long the other instances are assumed to continue at their last
	// rate. Beyond that, admitting one request too many is better than refusing one by an
	// old estimate.
	foresight = time.Second
	// smoothing is the time constant of the estimate of the others' rate.
	smoothing = 300 * time.Millisecond

	rateShards = 16
	rateSample = 8 // buckets to compare when one must be dropped

	rounding = 1e-6 // tolerance, in tokens
)

// Rate limits the rate of requests of each key, for all instances together. Each instance
// decides by its own bucket, which also loses the tokens that the others take: those in
// the engine's last answer, and an extrapolation since then. While the engine is away, an
// instance admits its share: the rate divided by the last known number of members.
//
// Use [Fleet.NewRate]. It is safe for concurrent use.
type Rate struct {
	fleet  *Fleet
	opts   RateOptions
	id     [8]byte
	every  time.Duration
	shards [rateShards]rateShard
	silent atomic.Int64 // Unix nanoseconds until which an exact rate does not ask
}

type rateShard struct {
	mu      sync.Mutex // protects the buckets
	buckets map[uint64]*bucket
}

// bucket is an instance's data about a key. The mutex of its shard protects it.
type bucket struct {
	tokens   float64   // upper bound on the available tokens at the time at
	at       time.Time // time of the last computation of tokens
	others   float64   // estimated tokens per second of the other instances
	learned  time.Time // last answer of the engine; zero = never
	level    float64   // level in that answer
	repaired time.Time // last time that this instance restored a lost bucket
	pending  int       // tokens taken here and not yet reported
	since    time.Time // time of the first of these
	skipped  int       // tokens since then that lump has omitted
	queued   bool      // queued at the reporter
	looked   bool      // a request was refused since learned
	alone    bool      // the engine is away, and pending misses tokens taken since
}

// NewRate returns a rate without keys.
func (f *Fleet) NewRate(o RateOptions) *Rate {
	if o.MaxKeys == 0 {
		o.MaxKeys = 65536
	}
	r := &Rate{fleet: f, opts: o, every: max(time.Duration(float64(time.Second)/o.PerSecond), 1)}
	binary.BigEndian.PutUint64(r.id[:], f.box.sum([]byte("rate "+o.Place)))
	for i := range r.shards {
		r.shards[i].buckets = map[uint64]*bucket{}
	}
	return r
}

// Hash returns a keyed hash of a rate's key, equal on all instances.
func (f *Fleet) Hash(text []byte) uint64 { return f.box.sum(text) }

// key returns the name of a key's bucket in the engine.
func (r *Rate) key(key uint64) string {
	var b [16]byte
	copy(b[:], r.id[:])
	binary.BigEndian.PutUint64(b[8:], key)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Allow takes a token from the key's bucket.
func (r *Rate) Allow(key uint64, now time.Time) limit.Verdict {
	s := &r.shards[key%rateShards]
	away, share := r.fleet.away.Load(), r.share()
	if r.opts.Exact && !away {
		if v, ok := r.ask(s, key, now); ok {
			return v
		}
		share = 1 / float64(r.fleet.Live())
	}
	s.mu.Lock()
	b := r.bucket(s, key, now)
	if b.alone && !away {
		b.rejoin(r, now)
	}
	v := r.decide(b, now, share)
	if away {
		b.alone = true // no report
		s.mu.Unlock()
		return v
	}
	if v.OK {
		if b.pending == 0 {
			b.since = now
		}
		b.pending++
	}
	queue := !b.queued
	b.queued = true
	urgent := v.OK && float64(b.pending) >= r.urgent(b)
	s.mu.Unlock()
	if queue {
		r.fleet.rates.add(due{r, key})
	}
	if urgent {
		r.fleet.rates.hurry()
	}
	return v
}

// urgent returns the number of tokens that need an early report: half of a share. In a
// large fleet half of a share is less than a token, which is not worth a report of its
// own. While nothing is known of the other instances fewer tokens are urgent.
func (r *Rate) urgent(b *bucket) float64 {
	burst, few := float64(r.opts.Burst), 4.0
	if b.learned.IsZero() {
		few = 3
	}
	return max(burst/float64(2*r.fleet.Live()), min(burst/4, few))
}

// rejoin turns the tokens that are missing from this instance's share of the bucket into
// a report, because the engine does not know the tokens taken while it was away.
func (b *bucket) rejoin(r *Rate, now time.Time) {
	share := 1 / float64(r.fleet.Live())
	b.refill(r, now, share)
	b.alone = false
	b.others, b.learned = 0, time.Time{}
	if lack := int(float64(r.opts.Burst)*share - b.tokens); lack > 0 {
		b.pending, b.since = lack, now
	}
}

// share returns the part of the rate that this instance decides about: all of it, or its
// share while the engine is away.
func (r *Rate) share() float64 {
	if !r.fleet.away.Load() {
		return 1
	}
	return 1 / float64(r.fleet.Live())
}

// bucket returns a key's bucket. The shard's mu must be held.
func (r *Rate) bucket(s *rateShard, key uint64, now time.Time) *bucket {
	b := s.buckets[key]
	if b == nil {
		if len(s.buckets) >= max(r.opts.MaxKeys/rateShards, 1) {
			s.forget(r, now)
		}
		b = &bucket{tokens: float64(r.opts.Burst), at: now}
		s.buckets[key] = b
	}
	return b
}

// forget drops the fullest of some buckets.
func (s *rateShard) forget(r *Rate, now time.Time) {
	var fullest uint64
	most, n := math.Inf(-1), 0
	for key, b := range s.buckets {
		if t := b.left(r, now, 1); t > most {
			fullest, most = key, t
		}
		if n++; n == rateSample {
			break
		}
	}
	delete(s.buckets, fullest)
}

// decide takes a token if there is one, under a part of the rate.
func (r *Rate) decide(b *bucket, now time.Time, share float64) limit.Verdict {
	b.refill(r, now, share)
	v := limit.Verdict{}
	if b.left(r, now, share) >= 1-rounding {
		v.OK = true
		b.tokens--
	} else {
		b.looked = true
	}
	return r.tell(v, b.left(r, now, share), b.pace(r, share))
}

// tell completes a verdict from the available tokens and the rate of their growth.
func (r *Rate) tell(v limit.Verdict, left, pace float64) limit.Verdict {
	v.Remaining = max(int(left), 0)
	v.Reset = seconds((float64(r.opts.Burst) - left) / r.opts.PerSecond)
	if !v.OK {
		v.Retry = max(seconds((1-left)/pace), time.Millisecond)
	}
	return v
}

func seconds(s float64) time.Duration { return time.Duration(max(s, 0) * float64(time.Second)) }

// refill updates the bucket as if no other instance took tokens.
func (b *bucket) refill(r *Rate, now time.Time, share float64) {
	if dt := now.Sub(b.at).Seconds(); dt > 0 {
		b.tokens += r.opts.PerSecond * share * dt
		b.at = now
	}
	b.tokens = min(b.tokens, max(float64(r.opts.Burst)*share, 1))
}

// pace returns the tokens gained per second, less those of the others, but at least half
// a share. Otherwise an instance without tokens would not notice that the others take
// fewer.
func (b *bucket) pace(r *Rate, share float64) float64 {
	if share < 1 {
		return r.opts.PerSecond * share
	}
	return max(r.opts.PerSecond-b.others, r.opts.PerSecond/float64(2*r.fleet.Live()))
}

// left returns the available tokens, given the estimate of the others' tokens since the
// last answer.
func (b *bucket) left(r *Rate, now time.Time, share float64) float64 {
	tokens := b.tokens + r.opts.PerSecond*share*max(now.Sub(b.at).Seconds(), 0)
	ago := now.Sub(b.learned)
	if share < 1 || b.others == 0 || ago > foresight {
		return tokens
	}
	return tokens - (r.opts.PerSecond-b.pace(r, share))*ago.Seconds()
}

// ask lets the engine decide; ok means that it did.
func (r *Rate) ask(s *rateShard, key uint64, now time.Time) (v limit.Verdict, ok bool) {
	if now.UnixNano() < r.silent.Load() {
		return v, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), ExactTimeout)
	defer cancel()
	levels, err := r.fleet.engine.Take(ctx, []Use{{Key: r.key(key), Tokens: 1, Every: r.every, Burst: r.opts.Burst, Exact: true}})
	if err != nil {
		r.silent.Store(time.Now().Add(exactPause).UnixNano())
		return v, false
	}
	l := levels[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	b := r.bucket(s, key, now)
	b.refill(r, now, 1)
	b.tokens, b.others = min(b.tokens, l.Tokens-float64(b.pending)), 0
	return r.tell(limit.Verdict{OK: l.Taken}, l.Tokens, r.opts.PerSecond), true
}

// report returns the report about a key; ok is false if there is nothing to report.
func (r *Rate) report(key uint64, now time.Time) (u Use, ok, again bool) {
	s := &r.shards[key%rateShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[key]
	if b == nil {
		return u, false, false
	}
	b.refill(r, now, r.share())
	switch b.due(r, now) {
	case reportLater:
		return u, false, true
	case reportNever:
		b.queued, b.pending = false, 0
		return u, false, false
	case reportSome:
		if b.pending = b.lump(r); b.pending == 0 {
			b.queued = false
			return u, false, false
		}
	}
	b.queued, b.looked = false, false
	u = Use{Key: r.key(key), Tokens: min(b.pending, r.opts.Burst), Every: r.every, Burst: r.opts.Burst}
	if b.pending > 0 {
		u.Ago = max(now.Sub(b.since), 0)
	}
	b.pending = 0
	return u, true, false
}

// when is the urgency of a report.
type when int

const (
	reportNow when = iota
	reportSome
	reportLater
	reportNever
)

// unseen is the part of a rate that all instances together may leave unreported.
const unseen = 1.0 / 32

// lump turns a few tokens into none, or into many with the same mean. While a key is far
// from its limit, the sum over all instances is exact enough, with fewer reports.
func (b *bucket) lump(r *Rate) int {
	whole := r.opts.Burst / lumps
	if b.pending >= whole {
		return b.pending
	}
	if rand.IntN(whole) < b.pending {
		return whole
	}
	b.skipped += b.pending
	return 0
}

// calm is the part of a rate up to which all instances together count as far from the
// limit.
const calm = 1.0 / 8

// lumps is the number of lumps in a burst.
const lumps = 16

// due returns when to report a bucket: at once while requests are refused or soon will
// be, otherwise every second, and never if the tokens are too few to matter to the
// others.
func (b *bucket) due(r *Rate, at time.Time) when {
	live, burst := float64(r.fleet.Live()), float64(r.opts.Burst)
	age := at.Sub(b.since)
	little := unseen * r.opts.PerSecond / live
	switch {
	case b.looked || b.tokens < burst/2:
		return reportNow
	case float64(b.pending)*4*live < burst:
	case !b.learned.IsZero() && b.level >= burst/2 && float64(b.skipped+b.pending) < calm*r.opts.PerSecond/live*at.Sub(b.learned).Seconds():
		return reportSome
	default:
		return reportNow
	}
	switch {
	case b.pending == 0:
		return reportNever
	case age < time.Second:
		return reportLater
	case float64(b.pending) > little*age.Seconds():
		return reportSome
	case b.tokens >= float64(r.opts.Burst):
		return reportNever
	}
	return reportLater
}

// Keys returns the number of remembered keys.
func (r *Rate) Keys() (n int) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		n += len(s.buckets)
		s.mu.Unlock()
	}
	return n
}
