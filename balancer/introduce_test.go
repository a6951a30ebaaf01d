package balancer

import (
	"fmt"
	"math"
	"testing"
)

// newcomers is an introduction of the members from place n on, of a pool of all.
func newcomers(p *Pool, n int, share float64, replayable bool) map[string]bool {
	in := &Introduction{Share: share, Replayable: replayable}
	fresh := map[string]bool{}
	for _, s := range specsOf(len(p.Members()))[n:] {
		in.Upstreams = append(in.Upstreams, s.Addr)
		fresh[s.Addr] = true
	}
	p.Introduce(in)
	return fresh
}

// shareOf returns which part of 20,000 picks goes to the named members.
func shareOf(p *Pool, names map[string]bool, choice func(n int) Choice) float64 {
	const picks = 20_000
	got := 0
	for n := range picks {
		c := choice(n)
		if m := p.Pick(&c); m != nil && names[m.Addr()] {
			got++
		}
	}
	return float64(got) / picks
}

func replayable(int) Choice { return Choice{Replayable: true} }

// keyed gives each request a different hash.
func keyed(n int) Choice { return Choice{Replayable: true, Hash: Hash(fmt.Sprint("client", n))} }

// TestIntroductionShare: the new upstreams get their share under every policy, however
// many they are.
func TestIntroductionShare(t *testing.T) {
	t.Parallel()
	for _, policy := range Policies() {
		for _, tc := range []struct {
			settled, fresh int
			share          float64
		}{{1, 1, 0}, {1, 1, 0.01}, {2, 2, 0.05}, {9, 1, 0.5}, {1, 4, 0.25}, {40, 3, 0.1}, {2, 2, 1}} {
			t.Run(fmt.Sprintf("%s/%d and %d, %v", policy, tc.settled, tc.fresh, tc.share), func(t *testing.T) {
				t.Parallel()
				p := newTestPool(t, Options{Policy: policy}, specsOf(tc.settled+tc.fresh)...)
				fresh := newcomers(p, tc.settled, tc.share, false)
				choice := replayable
				if policy == "hash" {
					choice = keyed
				}
				got := shareOf(p, fresh, choice)
				if math.Abs(got-tc.share) > 0.02*math.Sqrt(tc.share)+0.02*tc.share {
					t.Errorf("got a share of %.4f, want %v", got, tc.share)
				}
			})
		}
	}
}

// TestIntroductionEnds: after the introduction, all members are equal.
func TestIntroductionEnds(t *testing.T) {
	p := newTestPool(t, Options{Policy: "random"}, specsOf(2)...)
	fresh := newcomers(p, 1, 0, false)
	if got := shareOf(p, fresh, replayable); got != 0 {
		t.Errorf("during an introduction with share 0: got %v, want none", got)
	}
	p.Introduce(nil)
	if got := shareOf(p, fresh, replayable); math.Abs(got-0.5) > 0.02 {
		t.Errorf("after it: got %v, want half", got)
	}
}

// TestIntroductionJoins: an upstream that joins later is introduced from its first request.
func TestIntroductionJoins(t *testing.T) {
	p := newTestPool(t, Options{Policy: "random"}, specsOf(1)...)
	p.Introduce(&Introduction{Upstreams: []string{addr(1)}})
	p.Update(specsOf(2))
	if got := shareOf(p, map[string]bool{addr(1): true}, replayable); got != 0 {
		t.Errorf("got %v, want none", got)
	}
	if !p.Members()[1].Introduced() || p.Members()[0].Introduced() {
		t.Error("the wrong one is introduced")
	}
}

// TestIntroductionReplayable: with Replayable, requests whose failure nothing can hide
// stay with the settled upstreams.
func TestIntroductionReplayable(t *testing.T) {
	p := newTestPool(t, Options{Policy: "random"}, specsOf(2)...)
	post := func(int) Choice { return Choice{} }
	fresh := newcomers(p, 1, 0.5, true)
	p.Members()[1].trial.end()
	if got := shareOf(p, fresh, post); got != 0 {
		t.Errorf("cannot be sent again: got %v, want none", got)
	}
	if got := shareOf(p, fresh, replayable); math.Abs(got-0.5) > 0.02 {
		t.Errorf("can be sent again: got %v, want half", got)
	}
	newcomers(p, 1, 0.5, false)
	if got := shareOf(p, fresh, post); math.Abs(got-0.5) > 0.02 {
		t.Errorf("when all are wanted: got %v, want half", got)
	}
}

// TestIntroductionPrefers: a share is a preference. If one side cannot take a request,
// the other does.
func TestIntroductionPrefers(t *testing.T) {
	t.Parallel()
	for _, policy := range Policies() {
		t.Run(policy, func(t *testing.T) {
			p := newTestPool(t, Options{Policy: policy}, specsOf(4)...)
			newcomers(p, 2, 0, false)
			for i := range 2 {
				p.Members()[i].SetOperator(Drain)
			}
			for range 100 {
				if c := keyed(1); p.Pick(&c) == nil {
					t.Fatal("the settled are drained: got nobody, want a newcomer")
				}
			}
			newcomers(p, 2, 1, false)
			for i := range 4 {
				p.Members()[i].SetOperator([]Operator{Ready, Ready, Drain, Drain}[i])
			}
			for range 100 {
				if c := keyed(1); p.Pick(&c) == nil {
					t.Fatal("the newcomers are drained: got nobody, want one of the settled")
				}
			}
		})
	}
}

// TestIntroductionRetry: a further attempt of a request goes to the settled upstreams.
func TestIntroductionRetry(t *testing.T) {
	p := newTestPool(t, Options{Policy: "peak_ewma"}, specsOf(4)...)
	fresh := newcomers(p, 2, 1, false)
	tried := []*Upstream{p.Members()[3].Upstream}
	if got := shareOf(p, fresh, func(int) Choice { return Choice{Replayable: true, Tried: tried} }); got != 0 {
		t.Errorf("a newcomer was asked again in %v of the cases, want none", got)
	}
}

// TestIntroductionKeepsKeys: as the share grows, keys on the new upstreams stay there.
func TestIntroductionKeepsKeys(t *testing.T) {
	p := newTestPool(t, Options{Policy: "hash"}, specsOf(6)...)
	const keys = 2000
	with := map[int]string{}
	for _, share := range []float64{0.05, 0.25, 0.5, 1} {
		fresh := newcomers(p, 3, share, false)
		for n := range keys {
			c := keyed(n)
			m := p.Pick(&c)
			if before, ok := with[n]; ok && before != m.Addr() {
				t.Fatalf("share %v: key %d moved from %s to %s", share, n, before, m.Addr())
			}
			if fresh[m.Addr()] {
				with[n] = m.Addr()
			}
		}
	}
	if len(with) != keys {
		t.Errorf("at the end %d of %d keys are with the newcomers", len(with), keys)
	}
}

// TestIntroductionSticky: a client that the policy knows stays with its upstream.
func TestIntroductionSticky(t *testing.T) {
	p := newTestPool(t, Options{Policy: "sticky"}, specsOf(2)...)
	fresh := newcomers(p, 1, 1, false)
	id := p.Members()[0].ID()
	if got := shareOf(p, fresh, func(int) Choice { return Choice{Replayable: true, Sticky: id} }); got != 0 {
		t.Errorf("got %v moved, want none", got)
	}
	newID := p.Members()[1].ID()
	known := func(int) Choice { return Choice{Replayable: true, Sticky: newID} }
	newcomers(p, 1, 0.01, false)
	if got := shareOf(p, fresh, known); got != 1 {
		t.Errorf("a client of the newcomer: got %v, want it to stay", got)
	}
	newcomers(p, 1, 0, false)
	if got := shareOf(p, fresh, known); got != 0 {
		t.Errorf("with a share of 0: got %v, want none", got)
	}
}

// TestIntroductionTiers: new upstreams that are not up yet do not send requests to the
// next tier.
func TestIntroductionTiers(t *testing.T) {
	specs := specsOf(5)
	specs[4].Tier = 1
	p := newTestPool(t, Options{Policy: "random", Checked: true}, specs[:2]...)
	p.Introduce(&Introduction{Upstreams: []string{addr(2), addr(3)}})
	p.Update(specs)
	for i, m := range p.Members() {
		if i != 2 && i != 3 {
			m.ObserveProbe(Passed, Thresholds{})
		}
	}
	if got := shareOf(p, map[string]bool{addr(4): true}, replayable); got != 0 {
		t.Errorf("the reserve got %v, want none", got)
	}
	p.Introduce(nil)
	if got := shareOf(p, map[string]bool{addr(4): true}, replayable); got == 0 {
		t.Error("without the introduction half of the tier is missing, but the reserve got none")
	}
}
