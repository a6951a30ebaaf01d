package balancer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// OutlierOptions configure outlier detection: a member that is much worse than the others
// of its tier gets less of the traffic. The zero value is off.
//
// If a member fails more, its breaker opens at its next failure, even if the breaker's
// own rules do not open it. MaxEjected and the growing open time apply as always. The
// rule compares Wilson's intervals of the shares of failures over the last ten seconds.
// Envoy's rule, a distance from the mean in standard deviations, needs five members with
// 100 requests each. With two or three members, none can be far enough from a mean that
// includes it.
//
// If a member is slower, it gets fewer requests, in proportion to its speed, so that it
// has as many in flight as the others. It always keeps a small share, so that the pool
// notices when it is fast again. The rule compares the means of the logarithms of
// response times, and subtracts a margin for chance. It applies only to policies that
// choose freely. With hash and sticky, the request determines the member; with first, the
// order of the members does.
type OutlierOptions struct {
	Enabled      bool
	MinRequests  int           // smallest number of requests within ten seconds, both of the member and of the others; below 1 counts as 1
	FailureRatio float64       // smallest share of failures that makes a member an outlier, after a margin for chance; 0 = this rule is off
	SlowFactor   float64       // smallest ratio to the others' response time that makes a member slow, after a margin for chance; 0 = this rule is off
	SlowBy       time.Duration // smallest difference to the others' response time, required in addition to SlowFactor
}

const (
	judgeEvery = time.Second // while there is traffic
	// shareFloor is the smallest factor on the share of a slow member.
	shareFloor = 0.005
	// mostSamples bounds the factor that gives a slow member one request a second, to
	// measure it.
	mostSamples = 0.05
	// fewAnswers is the number of answers from which on a member counts among the others.
	fewAnswers = 3
	// slowFor is the shortest time for which a member counts as slow. It doubles each
	// time up to slowForMax.
	slowFor    = 10 * time.Second
	slowForMax = 5 * time.Minute
)

// slowness is the outlier rule's finding about a member's speed. The zero value is none.
type slowness struct {
	share atomic.Uint64 // bits of a float64: share of the picks to accept; 0 = all

	// Guarded by Pool.judging.
	until time.Time // earliest end
	times int       // findings in a row
	ended time.Time
}

func (s *slowness) on() bool { return s.share.Load() != 0 }

// accepts reports whether a policy should take the member that it has drawn.
func (s *slowness) accepts() bool {
	share := s.share.Load()
	return share == 0 || rand.Float64() < math.Float64frombits(share)
}

// begin marks a member as slow, or changes its share.
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

// watch sets the timer that judges the members: once a second while there is traffic, and
// never without.
func (p *Pool) watch() {
	if !p.watched.Load() && p.watched.CompareAndSwap(false, true) {
		time.AfterFunc(judgeEvery, p.judge)
	}
}

// judge compares the members.
func (p *Pool) judge() {
	defer p.watched.Store(false) // the next comparison waits until the findings of this one are reported
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

// speeds are the members with recent answers, the fastest first.
type speeds struct {
	sorted []speed
	rank   []int // index in sorted of each member; beyond its end = not in it
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

// others returns the results of the median of the other members, or of the slower of the
// two in the middle. It takes a majority to say what is usual: one fast member does not
// make outliers of two others. If there are no others, the results have no answers.
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

// choosesFreely reports whether a policy may send a request to any member.
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

// comparison is the input for judging a member's speed.
type comparison struct {
	off         bool    // speeds are not judged
	own, others results // others has no answers if there is nothing to compare with
	usual       float64 // mean number of attempts per second on a member
}

// judgeSpeed decides the upstream's share of its picks.
func (u *Upstream) judgeSpeed(o *OutlierOptions, c comparison, now time.Time) (Finding, bool) {
	s := &u.slowness
	f := Finding{Kind: Slow, Upstream: u}
	was, slow := s.on(), false
	if !c.off && c.others.answered > 0 && c.own.answered > 0 {
		f.Own, f.Others = float64(durationOf(c.own.mean())), float64(durationOf(c.others.mean()))
		slow = o.slow(c.own, c.others)
		if was { // a slow member has few answers, and must come close to the others
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

// Slow reports whether the upstream is slower than the others and therefore gets fewer
// requests.
func (u *Upstream) Slow() bool { return u.slowness.on() }

// slow is the rule by which a member becomes slow. (B. L. Welch, The generalization of
// Student's problem, 1947, for the difference of two means.)
func (o *OutlierOptions) slow(own, rest results) bool {
	enough := float64(max(o.MinRequests, 1))
	if own.answered < enough || rest.answered < enough {
		return false
	}
	doubt := confidence * math.Sqrt(own.variance()+rest.variance())
	return own.mean()-rest.mean()-doubt >= math.Log2(o.SlowFactor) &&
		durationOf(own.mean())-durationOf(rest.mean()) >= o.SlowBy
}

// FindingKind is the kind of a [Finding].
type FindingKind uint8

const (
	// FailsMore: an upstream fails significantly more often than the others of its tier.
	// Own and Others are shares of failures. Its breaker opens at the next failure,
	// unless MaxEjected forbids it.
	FailsMore FindingKind = iota
	// Slow: an upstream is significantly slower than the others of its tier, and gets fewer
	// requests. Own and Others are typical response times, in nanoseconds.
	Slow
	// Alike: most upstreams of the pool fail, so the cause is common to them. The pool
	// ejects none. Own is the number that fail, Others the number compared.
	Alike
)

// Finding is a result of comparing a pool's members.
type Finding struct {
	Kind        FindingKind
	Upstream    *Upstream // nil for Alike
	Over        bool      // the finding has ended; always false for FailsMore, whose end shows in the state of the breaker
	Own, Others float64
}
