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
	Place     string // of the rule in the configuration: the same on all instances
	PerSecond float64
	Burst     int // requests at once after a pause; at least 1
	MaxKeys   int // keys remembered; 0 = 65536
	// Exact asks the engine for each request, for [ExactTimeout] at most.
	Exact bool
}

// ExactTimeout is how long a request of an exact rate waits for the engine.
const ExactTimeout = 20 * time.Millisecond

const (
	// exactPause is how long exact rates do not ask after the engine was too slow.
	exactPause = 250 * time.Millisecond
	// foresight is how long the others are taken to go on as they did. Beyond that it
	// is better to let one in too many than to refuse one by an old guess.
	foresight = time.Second
	// smoothing is how long what was learned of the others' pace counts.
	smoothing = 300 * time.Millisecond

	rateShards = 16
	rateSample = 8 // buckets looked at to find one to forget

	rounding = 1e-6 // of tokens
)

// Rate bounds the rate of requests for each key, for all instances together. Each
// decides by a bucket of its own, which leaks by what the others take: as the engine
// has said, and since then as they went on. While the engine is away, an instance lets
// in its share: the rate over the members that were known last.
//
// Use [Fleet.NewRate]. It is safe for concurrent use.
type Rate struct {
	fleet  *Fleet
	opts   RateOptions
	id     [8]byte
	every  time.Duration
	shards [rateShards]rateShard
	silent atomic.Int64 // Unix nanoseconds until which an exact rate asks nobody
}

type rateShard struct {
	mu      sync.Mutex // protects the buckets
	buckets map[uint64]*bucket
}

// bucket is what an instance knows of a key. It is protected by its shard.
type bucket struct {
	tokens   float64   // at most this many are left, at the time at
	at       time.Time // when tokens was reckoned
	others   float64   // tokens a second that the other instances take
	learned  time.Time // when the engine was asked last; zero = never
	level    float64   // what it said
	repaired time.Time // when this instance has last told again what the engine had lost
	pending  int       // tokens that were taken here, of which the engine does not know
	since    time.Time // when the first of those was taken
	skipped  int       // tokens since then that lump has made none
	queued   bool      // the reporter knows of it
	looked   bool      // a request was refused since learned
	alone    bool      // what was taken since the engine was away is not in pending
}

// NewRate returns a rate that knows no key.
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

// Hash returns a keyed hash of what a rate counts by, the same on all instances.
func (f *Fleet) Hash(text []byte) uint64 { return f.box.sum(text) }

// key is the name of a key's bucket in the engine.
func (r *Rate) key(key uint64) string {
	var b [16]byte
	copy(b[:], r.id[:])
	binary.BigEndian.PutUint64(b[8:], key)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Allow takes a token of the key's bucket.
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
		b.alone = true // nobody is told
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

// urgent is how many tokens are not to wait for the next report: half of a share. In a
// large fleet that is less than a token, which is not worth a report of its own. Fewer are
// urgent while nothing is known of the others.
func (r *Rate) urgent(b *bucket) float64 {
	burst, few := float64(r.opts.Burst), 4.0
	if b.learned.IsZero() {
		few = 3
	}
	return max(burst/float64(2*r.fleet.Live()), min(burst/4, few))
}

// rejoin makes what lacks in this instance's share of the bucket something to report: the
// engine knows nothing of what was taken while it was away.
func (b *bucket) rejoin(r *Rate, now time.Time) {
	share := 1 / float64(r.fleet.Live())
	b.refill(r, now, share)
	b.alone = false
	b.others, b.learned = 0, time.Time{}
	if lack := int(float64(r.opts.Burst)*share - b.tokens); lack > 0 {
		b.pending, b.since = lack, now
	}
}

// share is the part of the rate that this instance decides about: all of it, or while
// the engine is away its share.
func (r *Rate) share() float64 {
	if !r.fleet.away.Load() {
		return 1
	}
	return 1 / float64(r.fleet.Live())
}

// bucket returns a key's bucket. It is called with the shard's mu held.
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

// decide takes a token if there is one, of a part of the rate.
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

// tell completes a verdict by what is left and how fast that grows.
func (r *Rate) tell(v limit.Verdict, left, pace float64) limit.Verdict {
	v.Remaining = max(int(left), 0)
	v.Reset = seconds((float64(r.opts.Burst) - left) / r.opts.PerSecond)
	if !v.OK {
		v.Retry = max(seconds((1-left)/pace), time.Millisecond)
	}
	return v
}

func seconds(s float64) time.Duration { return time.Duration(max(s, 0) * float64(time.Second)) }

// refill reckons the bucket as if nobody else took anything.
func (b *bucket) refill(r *Rate, now time.Time, share float64) {
	if dt := now.Sub(b.at).Seconds(); dt > 0 {
		b.tokens += r.opts.PerSecond * share * dt
		b.at = now
	}
	b.tokens = min(b.tokens, max(float64(r.opts.Burst)*share, 1))
}

// pace is how many tokens a second come in, less what the others take, but never less
// than half a share: else who gets nothing would not notice that the others take less.
func (b *bucket) pace(r *Rate, share float64) float64 {
	if share < 1 {
		return r.opts.PerSecond * share
	}
	return max(r.opts.PerSecond-b.others, r.opts.PerSecond/float64(2*r.fleet.Live()))
}

// left is how many tokens may be taken, given what the others are likely to have taken
// since the engine was asked.
func (b *bucket) left(r *Rate, now time.Time, share float64) float64 {
	tokens := b.tokens + r.opts.PerSecond*share*max(now.Sub(b.at).Seconds(), 0)
	ago := now.Sub(b.learned)
	if share < 1 || b.others == 0 || ago > foresight {
		return tokens
	}
	return tokens - (r.opts.PerSecond-b.pace(r, share))*ago.Seconds()
}

// ask lets the engine decide; ok says that it did.
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

// report returns what is to be told of a key; ok = false if nothing is.
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

// when says when a bucket is reported.
type when int

const (
	reportNow when = iota
	reportSome
	reportLater
	reportNever
)

// unseen is the part of a rate that all instances together may leave unreported.
const unseen = 1.0 / 32

// lump makes few tokens none, or many with the same mean: while a key is far from its limit
// the sum over all instances is good enough, and costs a part of the reports.
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

// calm is the part of a rate that all instances together may take for that.
const calm = 1.0 / 8

// lumps is how many of them a burst has.
const lumps = 16

// due says when a bucket is reported: at once while requests are refused, or soon would
// be; otherwise every second, and not at all if so little is taken that it makes no
// difference to the others.
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

// Keys returns the number of keys that are remembered.
func (r *Rate) Keys() (n int) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		n += len(s.buckets)
		s.mu.Unlock()
	}
	return n
}
