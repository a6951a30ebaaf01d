package balancer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

const testKeys = 20000

// homes returns the address to which each test key goes.
func homes(p *Pool) []string {
	all := make([]string, testKeys)
	for i := range all {
		c := Choice{Hash: mix(uint64(i) + 1)}
		all[i] = p.Pick(&c).Addr()
	}
	return all
}

func TestMaglevIsEven(t *testing.T) {
	t.Parallel()
	f := func(tolerance float64, specs []Spec) {
		t.Helper()
		p := newTestPool(t, Options{}, specs...)
		table := maglevTable(p.Members())
		entries := make([]int, len(specs))
		for _, i := range table {
			entries[i]++
		}
		mean := float64(len(table)) / float64(sumWeights(p.Members()))
		for i, got := range entries {
			want := mean * float64(p.Members()[i].Weight)
			if math.Abs(float64(got)-want) > max(1, tolerance*want) {
				t.Errorf("%d members: member %d has %d entries, want %.1f", len(specs), i, got, want)
				return
			}
		}
	}
	f(0.01, specsOf(1))
	f(0.01, specsOf(7))
	f(0.01, specsOf(655))
	f(0.02, specsOf(1000))
	if !raceEnabled {
		f(0.02, specsOf(10000))
	}
	f(0.01, weighted(1, 2, 3, 50, 7))
}

func TestHashIgnoresTheOrder(t *testing.T) {
	t.Parallel()
	specs := specsOf(50)
	for i := range specs {
		specs[i].Weight = 1 + i%3
	}
	p := newTestPool(t, Options{Policy: "hash"}, specs...)
	before := homes(p)
	rand.Shuffle(len(specs), func(i, j int) { specs[i], specs[j] = specs[j], specs[i] })
	p.Update(specs)
	if !slices.Equal(before, homes(p)) {
		t.Error("keys moved when the order of the configuration changed")
	}
}

// TestHashWhenAMemberLeaves: apart from the keys of the member that left, few move.
func TestHashWhenAMemberLeaves(t *testing.T) {
	t.Parallel()
	f := func(limit float64, specs []Spec) {
		t.Helper()
		p := newTestPool(t, Options{Policy: "hash"}, specs...)
		before := homes(p)
		gone := specs[37].Addr
		p.Update(slices.Delete(slices.Clone(specs), 37, 38))
		moved := 0
		for i, home := range homes(p) {
			if before[i] != gone && before[i] != home {
				moved++
			}
		}
		if got := float64(moved) / testKeys; got > limit {
			t.Errorf("%.2f %% of the keys moved without need, want at most %.0f %%", 100*got, 100*limit)
		}
	}
	f(0.02, specsOf(100))
	specs := specsOf(100)
	for i := range specs {
		specs[i].Weight = 1 + i%3
	}
	f(0.05, specs)
}

// TestHashWhenAMemberIsOut: only its keys move, and all come back.
func TestHashWhenAMemberIsOut(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Policy: "hash"}, specsOf(100)...)
	before := homes(p)
	out := &p.Members()[37]
	out.SetOperator(Drain)
	during := homes(p)
	heirs := map[string]bool{}
	for i := range before {
		if before[i] == out.Addr() {
			heirs[during[i]] = true
		} else if before[i] != during[i] {
			t.Fatalf("key %d moved from %s to %s", i, before[i], during[i])
		}
	}
	if len(heirs) < 50 {
		t.Errorf("the lost member's keys went to %d others, want them spread", len(heirs))
	}
	if !slices.Equal(during, homes(p)) {
		t.Error("the fallback of a key is not stable")
	}
	out.SetOperator(Ready)
	if !slices.Equal(before, homes(p)) {
		t.Error("keys did not come back")
	}
}

// TestHashBoundsTheLoad: one popular key fills its member up to the bound and
// then the next in its order.
func TestHashBoundsTheLoad(t *testing.T) {
	t.Parallel()
	const load, requests = 1.25, 1000
	f := func(specs []Spec) {
		t.Helper()
		p := newTestPool(t, Options{Policy: "hash", HashLoad: load}, specs...)
		for range requests {
			acquire(t, p.Pick(&Choice{Hash: 42}), 1)
		}
		sum := sumWeights(p.Members())
		for i := range p.Members() {
			m := &p.Members()[i]
			limit := math.Ceil(load * requests * float64(m.Weight) / float64(sum))
			if got := m.InFlight(); float64(got) > limit {
				t.Errorf("%s of weight %d: %d in flight, want at most %.0f", m.Addr(), m.Weight, got, limit)
			}
		}
	}
	f(specsOf(10))
	f(weighted(1, 2, 3, 4))
}
