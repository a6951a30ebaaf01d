package fleet

import (
	"math"
	"math/rand/v2"
	"time"
)

// repairTime is how long the instances take to restore the content of a bucket that the
// engine has lost.
const repairTime = time.Second

// learn handles the engine's answer to a report of taken tokens. again means that another
// report is necessary.
func (r *Rate) learn(key uint64, taken int, l Level, now time.Time) (again bool) {
	s := &r.shards[key%rateShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[key]
	if b == nil {
		return false
	}
	b.refill(r, now, 1)
	lost := b.observe(r, taken, l.Tokens, now)
	l.Tokens -= lost
	b.learned, b.level, b.skipped = now, l.Tokens, 0
	b.tokens = max(min(b.tokens, l.Tokens-float64(b.pending)), -MaxDebt*float64(r.opts.Burst))
	if lost == 0 || now.Sub(b.repaired) < repairTime {
		return false
	}
	b.repaired = now
	if b.pending == 0 {
		b.since = now
	}
	b.pending += int(lost/float64(r.fleet.Live()) + rand.Float64())
	again = !b.queued
	b.queued = true
	return again
}

// observe estimates the rate of the other instances from the engine's present and earlier
// answers. If the engine has lost the bucket, it returns the number of tokens that the
// engine has too many. Each instance then reports its share of them again.
func (b *bucket) observe(r *Rate, taken int, level float64, now time.Time) (lost float64) {
	burst := float64(r.opts.Burst)
	dt := now.Sub(b.learned).Seconds()
	if b.learned.IsZero() || dt <= 0 {
		return 0
	}
	was := min(b.level+r.opts.PerSecond*dt, burst) - float64(taken)
	if more := level - was; more > burst/4 { // network delay alone makes less
		return more
	}
	if was < 1 {
		return 0 // the bucket was empty, so a pause of the others means nothing
	}
	weight := 1 - math.Exp(-dt/smoothing.Seconds())
	b.others += weight * (max(was-level, 0)/dt - b.others)
	return 0
}

// unreported restores the tokens of a failed report.
func (r *Rate) unreported(key uint64, taken int, now time.Time) (again bool) {
	s := &r.shards[key%rateShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[key]
	if b == nil {
		return false
	}
	if b.pending == 0 {
		b.since = now
	}
	b.pending = min(b.pending+taken, r.opts.Burst)
	again = !b.queued
	b.queued = true
	return again
}
