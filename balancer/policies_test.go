package balancer

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestEveryPolicy checks the laws of every policy. It is not parallel, because parallel
// tests cannot count allocations.
func TestEveryPolicy(t *testing.T) {
	for _, name := range Policies() {
		t.Run(name, func(t *testing.T) {
			t.Run("none", func(t *testing.T) { lawNone(t, name) })
			t.Run("only one usable", func(t *testing.T) { lawOnlyOne(t, name) })
			t.Run("excluded", func(t *testing.T) { lawExcluded(t, name) })
			t.Run("tiers", func(t *testing.T) { lawTiers(t, name) })
			t.Run("trials", func(t *testing.T) { lawTrials(t, name) })
			t.Run("no allocation", func(t *testing.T) { lawNoAllocation(t, name) })
			t.Run("concurrency", func(t *testing.T) { lawConcurrency(t, name) })
		})
	}
}

// choices are requests of every kind.
func choices() []Choice {
	return []Choice{{}, {Hash: 12345}, {Sticky: Hash(addr(0))}, {Replayable: true, Now: 1}}
}

// many members; fewer where building a table of them takes seconds.
func many() int {
	if raceEnabled {
		return 100
	}
	return 1000
}

func lawNone(t *testing.T, policy string) {
	for _, n := range []int{0, 1, 2, 10, many()} {
		p := newTestPool(t, Options{Policy: policy, HashLoad: 1.25}, specsOf(n)...)
		for i := range p.Members() {
			p.Members()[i].SetOperator(Drain)
		}
		for _, c := range choices() {
			if m := p.Pick(&c); m != nil {
				t.Errorf("%d members, all drained: got %s, want nil", n, m.Addr())
			}
		}
	}
}

func lawOnlyOne(t *testing.T, policy string) {
	for _, n := range []int{1, 2, 10, many()} {
		p := newTestPool(t, Options{Policy: policy, HashLoad: 1.25}, specsOf(n)...)
		want := rand.IntN(n)
		for i := range p.Members() {
			if i != want {
				p.Members()[i].SetOperator(Drain)
			}
		}
		acquire(t, &p.Members()[want], 3) // busy, also beyond a bound of load
		for _, c := range choices() {
			for range 20 {
				if got := p.Pick(&c); got != &p.Members()[want] {
					t.Fatalf("%d members, only %s usable: got %v", n, addr(want), got)
				}
			}
		}
	}
}

// lawExcluded has one member of each kind that a policy must not pick, and as many
// usable members.
func lawExcluded(t *testing.T, policy string) {
	specs := specsOf(10)
	specs[3].MaxInFlight = 2
	p := newTestPool(t, Options{Policy: policy, HashLoad: 1.25, Checked: true}, specs...)
	members := p.Members()
	for i := range members {
		if i != 4 {
			members[i].ObserveProbe(Passed, Thresholds{})
		}
	}
	members[0].SetOperator(Off)
	members[1].ObserveProbe(Silent, Thresholds{})
	acquire(t, &members[3], 2)
	for _, c := range choices() {
		c.Tried = []*Upstream{members[2].Upstream}
		for range 500 {
			m := p.Pick(&c)
			if m == nil {
				t.Fatal("got nil, want one of the usable members")
			}
			for i, why := range []string{"off", "down", "tried", "full", "unchecked"} {
				if m == &members[i] {
					t.Fatalf("picked a member that is %s", why)
				}
			}
		}
	}

	gone := members[9].Upstream
	p.Update(specs[:9])
	for range 500 {
		if m := p.Pick(&Choice{Sticky: gone.ID(), Hash: rand.Uint64()}); m.Upstream == gone {
			t.Fatal("picked a removed upstream")
		}
	}
}

func lawTiers(t *testing.T, policy string) {
	specs := specsOf(4)
	specs[0].Tier, specs[1].Tier = 1, 1
	p := newTestPool(t, Options{Policy: policy, HashLoad: 1.25}, specs...)
	for _, c := range choices() {
		c.Sticky = 0
		for range 100 {
			if m := p.Pick(&c); m.Tier != 0 {
				t.Fatalf("all available: got tier %d, want 0", m.Tier)
			}
		}
	}
	first := p.Members()[:2]
	c := Choice{Tried: []*Upstream{first[0].Upstream, first[1].Upstream}}
	if m := p.Pick(&c); m == nil || m.Tier != 1 {
		t.Errorf("tier 0 tried: got %v, want a member of tier 1", m)
	}
	first[0].SetOperator(Drain)
	first[1].SetOperator(Drain)
	if m := p.Pick(&Choice{}); m == nil || m.Tier != 1 {
		t.Errorf("tier 0 drained: got %v, want a member of tier 1", m)
	}
}

// lawTrials: a half-open member gets requests that are Replayable.
func lawTrials(t *testing.T, policy string) {
	p := newTestPool(t, Options{Policy: policy, Breaker: BreakerOptions{Enabled: true}}, specsOf(3)...)
	trial := &p.Members()[0]
	trial.breaker.turn(onTrip)
	trial.breaker.turn(onWake)
	got := counts(p, 1000, Choice{})
	if got[trial.Addr()] != 0 {
		t.Errorf("not replayable: half-open member got %d of 1000 requests, want none", got[trial.Addr()])
	}
	got = counts(p, 1000, Choice{Replayable: true, Hash: keyOf(t, p, trial)})
	if got[trial.Addr()] == 0 {
		t.Error("replayable: half-open member got no request")
	}
	p.Members()[1].SetOperator(Drain)
	p.Members()[2].SetOperator(Drain)
	if p.Pick(&Choice{}) != trial {
		t.Error("not replayable, nothing else left: want the half-open member")
	}
}

// keyOf returns a key that policy hash gives to m.
func keyOf(t *testing.T, p *Pool, m *Member) uint64 {
	for key := uint64(1); key < 10000; key++ {
		c := Choice{Hash: key, Replayable: true}
		if p.Pick(&c) == m {
			return key
		}
	}
	t.Fatalf("%s has no key", m.Addr())
	return 0
}

func lawNoAllocation(t *testing.T, policy string) {
	for _, n := range []int{2, 100} {
		p := newTestPool(t, Options{Policy: policy, HashLoad: 1.25}, specsOf(n)...)
		c := Choice{Tried: []*Upstream{p.Members()[0].Upstream}}
		got := testing.AllocsPerRun(100, func() {
			c.Hash += golden
			c.Sticky = p.Pick(&c).ID()
		})
		if got != 0 {
			t.Errorf("%d members: %v allocations a pick, want 0", n, got)
		}
	}
}

// lawConcurrency changes everything while many goroutines pick and send.
func lawConcurrency(t *testing.T, policy string) {
	o := Options{Policy: policy, HashLoad: 1.25, MaxEjected: 0.5, Breaker: BreakerOptions{Enabled: true, Consecutive: 3}}
	p := newTestPool(t, o, specsOf(40)...)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				c := Choice{Hash: rand.Uint64(), Sticky: Hash(addr(rand.IntN(40))), Replayable: rand.IntN(2) == 0}
				send(p, &c)
			}
		})
	}
	wg.Go(func() {
		for i := range 20 {
			p.Update(specsOf(20 + i%20))
			p.Members()[i%20].SetOperator(Operator(i % 2))
		}
	})
	wg.Wait()
	if got := p.InFlight(); got != 0 {
		t.Errorf("in flight at the end: got %d, want 0", got)
	}
	p.Update(nil)
}

// send makes one request of up to three attempts with random outcomes.
func send(p *Pool, c *Choice) {
	for range 3 {
		m := p.Pick(c)
		if m == nil {
			return
		}
		lease, ok := m.TryAcquire()
		if !ok {
			continue
		}
		o := []Outcome{Success, Failure, Unreachable, Ignored}[rand.IntN(4)]
		lease.Report(o, 1)
		lease.Release()
		c.Tried = append(c.Tried, m.Upstream)
	}
}

// TestWeights checks that the policies respect weights.
func TestWeights(t *testing.T) {
	t.Parallel()
	weights := []int{1, 2, 3, 4, 10}
	const picks = 100000
	for _, policy := range []string{"round_robin", "sticky", "random", "p2c", "least_conn", "hash"} {
		for _, copies := range []int{1, 20} { // least_conn has different algorithms for few and for many members
			t.Run(fmt.Sprint(policy, "/", copies), func(t *testing.T) {
				t.Parallel()
				var all []int
				for range copies {
					all = append(all, weights...)
				}
				p := newTestPool(t, Options{Policy: policy}, weighted(all...)...)
				got := make([]int, len(weights))
				for range picks {
					m := p.Pick(&Choice{})
					got[indexOf(weights, m.Weight)]++
				}
				for i, w := range weights {
					share, want := float64(got[i])/picks, float64(w)/20
					if share < want*0.93 || share > want*1.07 {
						t.Errorf("weight %d: got a share of %.3f, want %.3f", w, share, want)
					}
				}
			})
		}
	}
}

func indexOf(list []int, x int) int {
	for i, y := range list {
		if x == y {
			return i
		}
	}
	return -1
}

// TestLoadOfUnavailableMember: all other members share the load of an unavailable one.
func TestLoadOfUnavailableMember(t *testing.T) {
	t.Parallel()
	const n, picks = 10, 50000
	for _, policy := range []string{"round_robin", "random", "p2c", "least_conn", "hash"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			p := newTestPool(t, Options{Policy: policy}, specsOf(n)...)
			p.Members()[3].SetOperator(Drain)
			want := float64(picks) / (n - 1)
			for addr, got := range counts(p, picks, Choice{}) {
				if float64(got) < 0.93*want || float64(got) > 1.07*want {
					t.Errorf("%s: got %d picks, want about %.0f", addr, got, want)
				}
			}
		})
	}
}
