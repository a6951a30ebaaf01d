package balancer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// OutlierOptions say when a member is so much worse than the others of its tier
// that it gets less of the traffic. The zero value never does.
//
// One that fails more is a matter for its breaker, which opens by this rule too:
// the floor under ejection and the growing time out are the breaker's. The rule
// compares Wilson's intervals of the shares of failures over the last ten
// seconds. Envoy's, a distance from the mean in standard deviations, needs five
// members with 100 requests each, and of two or three members one can never be
// far enough from a mean that it is part of.
//
// One that is slower gets less, in proportion to its speed: then as many
// requests are in flight there as elsewhere. It always keeps a little, which
// shows when it is fast again. The rule compares means of logarithms, and takes
// off what may be chance. It holds for policies that are free to choose:
// for hash, sticky and first the place is part of what was asked for.
type OutlierOptions struct {
	Enabled      bool
	MinRequests  int           // of the member, and of the others, within ten seconds; below 1 counts as 1
	FailureRatio float64       // least share of failures it must surely have; 0 = no such rule
	SlowFactor   float64       // how many times the others' time to an answer it must surely take; 0 = no such rule
	SlowBy       time.Duration // and how much longer at least
}

const (
	judgeEvery = time.Second // while there is traffic
	// shareFloor is what a slow member keeps of its share.
	shareFloor = 0.005
	// mostSamples is the most that it keeps to be looked at once a second.
	mostSamples = 0.05
	// fewAnswers are enough for a member to count among the others.
	fewAnswers = 3
	// slowFor is how long a member counts as slow at least, doubled each time up
	// to slowForMax.
	slowFor    = 10 * time.Second
	slowForMax = 5 * time.Minute
)

// slowness is what the outlier rule has found about a member's speed. The zero
// value finds nothing.
type slowness struct {
	share atomic.Uint64 // bits of a float64: of the picks that are to be taken; 0 = all

	// Guarded by Pool.judging.
	until time.Time // not before
	times int       // in a row
	ended time.Time
}

func (s *slowness) on() bool { return s.share.Load() != 0 }

// accepts reports whether a pick that fell on the member is to be taken.
func (s *slowness) accepts() bool {
	share := s.share.Load()
	return share == 0 || rand.Float64() < math.Float64frombits(share)
}

// begin makes a member slow, or changes its share.
func (s *slowness) begin(now time.Time, share float64) {
	if !s.on() {
		if now.Sub(s.ended) > slowForMax {
			s.times = 0
		}
		s.until = now.Add(min(slowFor<<s.times, slowForMax))
		s.times = min(s.times+1, 10)
	}
	s.share.Store(math.Float64bits(min(max(share, shareFloor), 1)))
}

func (s *slowness) end(now time.Time) {
	s.share.Store(0)
	s.ended = now
}

// watch has the timer that judges the members: once a second while there is
// traffic, and not at all without.
func (p *Pool) watch() {
	if !p.watched.Load() && p.watched.CompareAndSwap(false, true) {
		time.AfterFunc(judgeEvery, p.judge)
	}
}

// judge compares the members.
func (p *Pool) judge() {
	defer p.watched.Store(false) // so that the next look waits for what is told of this one
	p.judging.Lock()
	now := time.Now()
	var found []Finding
	for _, t := range p.set.Load().tiers {
		found = append(found, p.judgeTier(t.members, now)...)
	}
	found = append(found, p.judgeAll(now)...)
	p.judging.Unlock()
	if tell := p.opts.Load().Tell; tell != nil {
		for _, f := range found {
			tell(f)
		}
	}
}

// judgeTier compares each member with the others of its tier.
func (p *Pool) judgeTier(members []Member, now time.Time) (found []Finding) {
	var all results
	each := make([]results, len(members))
	for i := range members {
		each[i] = members[i].latency.results(now.UnixNano())
		all = all.plus(each[i], +1)
	}
	opts := p.opts.Load()
	o := &opts.Outlier
	speeds := newSpeeds(each)
	off := !o.Enabled || o.SlowFactor <= 0 || opts.NewPolicy != nil || !choosesFreely(opts.Policy)
	usual := all.n() / historySpan.Seconds() / float64(len(members)) // attempts a second
	for i := range members {
		u := members[i].Upstream
		if f, ok := u.judgeFailures(o, each[i], all.plus(each[i], -1)); ok {
			found = append(found, f)
		}
		if f, ok := u.judgeSpeed(o, comparison{off, each[i], speeds.others(i, each), usual}, now); ok {
			found = append(found, f)
		}
	}
	return found
}

// speeds are the members that have answered lately, the fastest first.
type speeds struct {
	sorted []speed
	rank   []int // of each member in sorted; beyond its end for one that is not there
}

type speed struct {
	place int
	mean  float64
}

func newSpeeds(each []results) speeds {
	s := speeds{make([]speed, 0, len(each)), make([]int, len(each))}
	for i := range each {
		s.rank[i] = len(each)
		if each[i].answered >= fewAnswers {
			s.sorted = append(s.sorted, speed{i, each[i].mean()})
		}
	}
	slices.SortFunc(s.sorted, func(a, b speed) int { return cmp.Compare(a.mean, b.mean) })
	for r, e := range s.sorted {
		s.rank[e.place] = r
	}
	return s
}

// others returns the results of the median of the others, the slower of two:
// it takes a majority to say what is usual, and one that is fast makes no
// outliers of two that are not. Without others it has no answers.
func (s *speeds) others(place int, each []results) results {
	rank, n := s.rank[place], len(s.sorted)
	if rank < n {
		n--
	}
	if n == 0 {
		return results{}
	}
	middle := n / 2
	if rank <= middle {
		middle++
	}
	return each[s.sorted[middle].place]
}

// choosesFreely reports whether a policy does not mind which member a request
// goes to.
func choosesFreely(policy string) bool {
	switch policy {
	case "hash", "sticky", "first":
		return false
	}
	return true
}

// judgeFailures decides whether the breaker may open by the outlier rule.
func (u *Upstream) judgeFailures(o *OutlierOptions, own, rest results) (Finding, bool) {
	low, _ := own.failureRange()
	_, high := rest.failureRange()
	enough := float64(max(o.MinRequests, 1))
	bad := o.Enabled && o.FailureRatio > 0 && own.n() >= enough && rest.n() >= enough &&
		low >= o.FailureRatio && low > high
	if u.outlier.Swap(bad) == bad || !bad {
		return Finding{}, false
	}
	return Finding{Kind: FailsMore, Upstream: u, Own: own.failed / own.n(), Others: rest.failed / rest.n()}, true
}

// comparison is what the speed of a member is judged by.
type comparison struct {
	off         bool    // it is not judged
	own, others results // others has no answers where there is nothing to compare
	usual       float64 // attempts a second on a member
}

// judgeSpeed decides how much of its share the upstream gets.
func (u *Upstream) judgeSpeed(o *OutlierOptions, c comparison, now time.Time) (Finding, bool) {
	s := &u.slowness
	f := Finding{Kind: Slow, Upstream: u}
	was, slow := s.on(), false
	if !c.off && c.others.answered > 0 && c.own.answered > 0 {
		f.Own, f.Others = float64(durationOf(c.own.mean())), float64(durationOf(c.others.mean()))
		slow = o.slow(c.own, c.others)
		if was { // then a few answers must do, and it has to come close
			slow = f.Own > max(2, o.SlowFactor/2)*f.Others
		}
	}
	switch {
	case slow:
		s.begin(now, max(f.Others/f.Own, min(1/c.usual, mostSamples)))
		return f, !was
	case was && (c.off || !now.Before(s.until)):
		s.end(now)
		u.latency.forget()
		u.returned()
		f.Over = true
	}
	return f, f.Over
}

// Slow reports whether the upstream was found to be slower than the others, so
// that it gets less.
func (u *Upstream) Slow() bool { return u.slowness.on() }

// slow is the rule by which a member becomes slow. (B. L. Welch, The
// generalization of Student's problem, 1947, for the difference of two means.)
func (o *OutlierOptions) slow(own, rest results) bool {
	enough := float64(max(o.MinRequests, 1))
	if own.answered < enough || rest.answered < enough {
		return false
	}
	doubt := confidence * math.Sqrt(own.variance()+rest.variance())
	return own.mean()-rest.mean()-doubt >= math.Log2(o.SlowFactor) &&
		durationOf(own.mean())-durationOf(rest.mean()) >= o.SlowBy
}

// FindingKind is what a [Finding] says.
type FindingKind uint8

const (
	// FailsMore: an upstream fails surely more often than the others of its tier.
	// Own and Others are shares of failures. Its breaker opens with the next
	// failure, if the floor under ejection lets it.
	FailsMore FindingKind = iota
	// Slow: an upstream is surely slower than the others of its tier, and gets
	// less. Own and Others are typical times to an answer, in nanoseconds.
	Slow
	// Alike: most upstreams of the pool fail alike. None is ejected. Own is how
	// many fail, Others of how many.
	Alike
)

// Finding is what a comparison of a pool's members has found.
type Finding struct {
	Kind        FindingKind
	Upstream    *Upstream // nil for Alike
	Over        bool      // it is no longer so; FailsMore is never over, the breaker tells that
	Own, Others float64
}
