package deploy

import (
	"math"
	"time"
)

// rule compares how often the two versions do one thing, for example fail. The zero value
// is ready.
type rule struct {
	whole   evidence         // since the beginning
	again   [rounds]evidence // each from a later beginning, for trouble that begins late
	round   int              // number of later beginnings so far
	began   time.Time        // time of the latest beginning
	fresh   count            // of the new version
	settled count            // of the old version
	alone   window           // of the new version, since it is alone
	usual   float64          // upper bound on the old version's share in its worst moment
	moment  window           // of the old version
}

const (
	// mayBeWrong is the probability that a rule condemns an equal version, for any number
	// of requests; half of it goes to the later beginnings. There are four rules, so that
	// at most one deploy of 200 returns without cause.
	mayBeWrong = 0.005 / 4
	// rounds is the number of later beginnings that are kept, and roundFor the time
	// between them.
	rounds   = 3
	roundFor = 10 * time.Second
	// fewest is the least number of hits of the new version.
	fewest = 3
	// fewestAlone is the same while the new version is alone, within windowFor.
	fewestAlone = 5
	windowFor   = 10 * time.Second
	// mostly is the share of the requests above which little data about the old version
	// is enough.
	mostly = 0.6
	// sure is in standard deviations. While the new version is alone, the present window
	// is checked all the time.
	sure = 4
)

// window counts the recent past.
type window struct {
	count
	began  time.Time
	latest time.Time
}

// add adds one result, and returns the count of a window that has ended with it.
func (w *window) add(hit bool, now time.Time) (ended count) {
	if now.Sub(w.began) >= windowFor {
		ended = w.count
		*w = window{began: now}
	}
	w.count.add(hit)
	w.latest = now
	return ended
}

// add adds the result of a request.
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

// worse reports whether the new version certainly does it more often than the old one, at
// least by this much.
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

// suspicious is the capital above which there is doubt. An equal version reaches it in at
// most one deploy of 4, for a while.
const suspicious = 4

// suspects reports whether there is evidence that the new version does it more often.
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

// relapsed reports whether the new version, alone, certainly does it twice as often as
// the old one in its worst moment, and more by this much. If the old version had too few
// requests for a bound, doing it mostly is enough. The window must cover the given time:
// a busy machine makes all requests of a moment slow, whatever the version.
func (r *rule) relapsed(by float64, over time.Duration) bool {
	if r.alone.latest.Sub(r.alone.began) < over {
		return false
	}
	low, _ := r.alone.wilson(sure)
	_, high := r.settled.wilson(sure / 2)
	twice := 2*max(high, r.usual) + by
	seen := 2*max(r.settled.rate(), r.usual) + by
	return r.alone.hits >= fewestAlone && low > min(twice, max(seen, mostly))
}
