package deploy

import (
	"math"
	"time"
)

// rule watches one thing that the new version may do more often than the old one. The zero
// value is ready.
type rule struct {
	whole   evidence         // since the beginning
	again   [rounds]evidence // each of a later beginning, for what begins late
	round   int              // how many of these there have been
	began   time.Time        // of the latest
	fresh   count            // of the new version
	settled count            // of the old version
	alone   window           // of the new version, since nobody else is asked
	usual   float64          // the most that the old version has surely not exceeded, in its worst moment
	moment  window           // of the old version
}

const (
	// mayBeWrong is how likely it is that a rule says of the same version that it is
	// worse, whatever the number of requests; half of it goes to the later beginnings.
	// There are four rules, so that one deploy of 200 is at most taken back for nothing.
	mayBeWrong = 0.005 / 4
	// rounds is how many later beginnings are kept, and roundFor how far they are apart.
	rounds   = 3
	roundFor = 10 * time.Second
	// fewest is how often the new version must have done it at least.
	fewest = 3
	// fewestAlone is the same while nobody else is asked, within windowFor.
	fewestAlone = 5
	windowFor   = 10 * time.Second
	// mostly is the share of the requests from which on little has to be known of the old one.
	mostly = 0.6
	// sure is in standard deviations. While nobody else is asked, the present window is
	// looked at all the time.
	sure = 4
)

// window counts what happened in the last while.
type window struct {
	count
	began time.Time
}

// add takes one more, and returns the count of a window that has ended with it.
func (w *window) add(hit bool, now time.Time) (ended count) {
	if now.Sub(w.began) >= windowFor {
		ended = w.count
		*w = window{began: now}
	}
	w.count.add(hit)
	return ended
}

// add takes what a request has shown.
func (r *rule) add(fresh, hit, alone bool, now time.Time) {
	if fresh {
		r.fresh.add(hit)
	} else {
		r.settled.add(hit)
		if ended := r.moment.add(hit, now); ended.n > 0 {
			r.usual = max(r.usual, ended.hits/ended.n)
		}
	}
	if alone {
		if fresh {
			r.alone.add(hit, now)
		}
		return
	}
	r.whole.add(fresh, hit)
	if now.Sub(r.began) >= roundFor {
		r.again[r.round%rounds] = evidence{}
		r.began = now
		r.round++
	}
	for i := range min(r.round, rounds) {
		r.again[i].add(fresh, hit)
	}
}

// worse reports whether the new version surely does it more often than the old one, and
// by this much at least.
func (r *rule) worse(by float64) bool {
	if r.whole.convicts(by, mayBeWrong/2) {
		return true
	}
	for i := range min(r.round, rounds) {
		// The n-th beginning has 1/n² of the probability, divided by the sum of all.
		n := float64(r.round - (r.round-1-i)%rounds)
		if r.again[i].convicts(by, mayBeWrong/2*6/(math.Pi*math.Pi*n*n)) {
			return true
		}
	}
	return false
}

// suspicious is the capital from which on there is doubt. With the same version it is
// reached in one deploy of 4 at most, for a while.
const suspicious = 4

// suspects reports whether something speaks for the new version doing it more often.
func (r *rule) suspects() bool {
	if r.whole.log() >= math.Log(suspicious) {
		return true
	}
	for i := range min(r.round, rounds) {
		if r.again[i].log() >= math.Log(suspicious) {
			return true
		}
	}
	return false
}

// relapsed reports whether the new version, alone, surely does it twice as often as the old
// one did in its worst moment, and by this much more. When the old one has had too few
// requests to bound that, doing it mostly is enough.
func (r *rule) relapsed(by float64) bool {
	low, _ := r.alone.wilson(sure)
	_, high := r.settled.wilson(sure / 2)
	twice := 2*max(high, r.usual) + by
	seen := 2*max(r.settled.rate(), r.usual) + by
	return r.alone.hits >= fewestAlone && low > min(twice, max(seen, mostly))
}
