package balancer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// zoned returns n upstreams in each of several zones, in turn.
func zoned(n map[string]int) []Spec {
	var specs []Spec
	for _, zone := range []string{"a", "b", "c", ""} {
		for range n[zone] {
			specs = append(specs, Spec{Addr: addr(len(specs)), Zone: zone})
		}
	}
	return specs
}

// perZone picks n times and returns the share of each zone.
func perZone(p *Pool, n int) map[string]float64 {
	got := map[string]float64{}
	for range n {
		if m := p.Pick(&Choice{Replayable: true, Hash: rand.Uint64()}); m != nil {
			got[m.Zone()] += 1 / float64(n)
		}
	}
	return got
}

func wantShares(t *testing.T, what string, got map[string]float64, want map[string]float64) {
	t.Helper()
	for _, zone := range []string{"a", "b", "c", ""} {
		if math.Abs(got[zone]-want[zone]) > 0.04 {
			t.Errorf("%s: got %v, want %v", what, got, want)
			return
		}
	}
}

// TestZoneShares checks the split of one process in zone a against shares computed by
// hand, for every policy.
func TestZoneShares(t *testing.T) {
	t.Parallel()
	type shares = map[string]float64
	for name, tc := range map[string]struct {
		members shares
		zone    ZoneOptions
		out     int // members of zone a that are out
		want    shares
		state   ZoneState
	}{
		"even":            {shares{"a": 3, "b": 3, "c": 3}, ZoneOptions{Own: "a"}, 0, shares{"a": 1}, ZonesOn},
		"twice as many":   {shares{"a": 8, "b": 4, "c": 4}, ZoneOptions{Own: "a"}, 0, shares{"a": 1}, ZonesOn},
		"few at home":     {shares{"a": 2, "b": 5, "c": 5}, ZoneOptions{Own: "a", Load: 1}, 0, shares{"a": 0.5, "b": 0.25, "c": 0.25}, ZonesOn},
		"and 20 % more":   {shares{"a": 2, "b": 5, "c": 5}, ZoneOptions{Own: "a"}, 0, shares{"a": 0.6, "b": 0.2, "c": 0.2}, ZonesOn},
		"uneven spare":    {shares{"a": 2, "b": 4, "c": 6}, ZoneOptions{Own: "a", Load: 1}, 0, shares{"a": 0.5, "c": 0.5}, ZonesOn},
		"half out":        {shares{"a": 4, "b": 4, "c": 4}, ZoneOptions{Own: "a", Load: 1}, 2, shares{"a": 0.6, "b": 0.2, "c": 0.2}, ZonesOn},
		"all out":         {shares{"a": 4, "b": 4, "c": 4}, ZoneOptions{Own: "a"}, 4, shares{"b": 0.5, "c": 0.5}, ZonesOn},
		"not there":       {shares{"b": 4, "c": 4}, ZoneOptions{Own: "a"}, 0, shares{"b": 0.5, "c": 0.5}, ZonesOn},
		"peers":           {shares{"a": 4, "b": 4, "c": 4}, ZoneOptions{Own: "a", Load: 1, Peers: map[string]int{"a": 4, "b": 2, "c": 2}}, 0, shares{"a": 2.0 / 3, "b": 1.0 / 6, "c": 1.0 / 6}, ZonesOn},
		"alone":           {shares{"a": 4, "b": 4, "c": 4}, ZoneOptions{Own: "a", Load: 1, Peers: map[string]int{"a": 1}}, 0, shares{"a": 1.0 / 3, "b": 1.0 / 3, "c": 1.0 / 3}, ZonesOn},
		"not among peers": {shares{"a": 4, "b": 4, "c": 4}, ZoneOptions{Own: "a", Load: 1, Peers: map[string]int{"b": 1, "c": 1}}, 0, shares{"a": 1}, ZonesOn},
		"peers elsewhere": {shares{"a": 4, "b": 8}, ZoneOptions{Own: "a", Load: 1, Peers: map[string]int{"a": 3, "b": 2, "d": 1}}, 0, shares{"a": 2.0 / 3, "b": 1.0 / 3}, ZonesOn},
		"too few":         {shares{"a": 1, "b": 2, "c": 2}, ZoneOptions{Own: "a"}, 0, shares{"a": 0.2, "b": 0.4, "c": 0.4}, ZonesFew},
		"few but enough":  {shares{"a": 1, "b": 1, "c": 1}, ZoneOptions{Own: "a", Min: 3}, 0, shares{"a": 1}, ZonesOn},
		"one unknown":     {shares{"a": 4, "b": 3, "": 1}, ZoneOptions{Own: "a"}, 0, shares{"a": 0.5, "b": 0.375, "": 0.125}, ZonesUnknown},
		"one zone":        {shares{"b": 8}, ZoneOptions{Own: "a"}, 0, shares{"b": 1}, ZonesAlike},
		"own zone":        {shares{"a": 8}, ZoneOptions{Own: "a"}, 0, shares{"a": 1}, ZonesAlike},
		"no own zone":     {shares{"a": 2, "b": 2, "c": 4}, ZoneOptions{}, 0, shares{"a": 0.25, "b": 0.25, "c": 0.5}, ZonesOff},
	} {
		for _, policy := range Policies() {
			n := map[string]int{}
			for zone, members := range tc.members {
				n[zone] = int(members)
			}
			p := newTestPool(t, Options{Policy: policy, Zone: tc.zone}, zoned(n)...)
			for i := range tc.out {
				p.Upstreams()[i].SetOperator(Drain)
			}
			r := p.Zones()
			if r.State != tc.state {
				t.Errorf("%s: state: got %v, want %v", name, r.State, tc.state)
			}
			if policy == "first" && tc.state != ZonesOn {
				continue // the first of all, in any zone
			}
			wantShares(t, name+" by "+policy, perZone(p, 4000), tc.want)
			if r = p.Zones(); tc.state == ZonesOn && (r.Kept+r.Left != 4000 || math.Abs(float64(r.Kept)/4000-r.Meant) > 0.04) {
				t.Errorf("%s by %s: got %+v, want the share that is meant to be kept of 4000", name, policy, r)
			}
		}
	}
}

// TestZoneFleet has many processes in unequal zones send to weighted upstreams in unequal
// zones. No upstream gets more than its bound, and the load that crosses zones is the
// least possible.
func TestZoneFleet(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		zones := 2 + rnd.IntN(4)
		weights, senders := make([]int, zones), make([]float64, zones)
		all, sending := 0, 0.0
		for i := range zones {
			weights[i], senders[i] = rnd.IntN(6)*rnd.IntN(4), float64(rnd.IntN(8))
			all += weights[i]
			sending += senders[i]
		}
		load := 1 + rnd.Float64()
		if all == 0 || sending == 0 {
			continue
		}
		got, kept, most := make([]float64, zones), 0.0, 0.0
		for own := range zones {
			if senders[own] == 0 {
				continue
			}
			order := []int{own} // the own zone comes first
			for i := range zones {
				if i != own {
					order = append(order, i)
				}
			}
			w, s := make([]int, zones), make([]float64, zones)
			for at, i := range order {
				w[at], s[at] = weights[i], senders[i]
			}
			shares := newZoneShares(w, s, 0, load)
			for at, i := range order {
				got[i] += shares.of(at) * senders[own] / sending
			}
			kept += shares.of(0) * senders[own] / sending
			most += min(senders[own]/sending, load*float64(weights[own])/float64(all))
		}
		sum := 0.0
		for i := range zones {
			sum += got[i]
			if bound := load * float64(weights[i]) / float64(all); got[i] > bound+1e-9 {
				t.Fatalf("weights %v, senders %v, load %.2f: zone %d gets %.3f, more than %.3f", weights, senders, load, i, got[i], bound)
			}
		}
		if math.Abs(sum-1) > 1e-9 || math.Abs(kept-most) > 1e-9 {
			t.Fatalf("weights %v, senders %v: the shares' sum is %v, kept are %v of %v", weights, senders, sum, kept, most)
		}
	}
}

// TestZoneSimulation runs eight processes in three unequal zones before 18 upstreams, and
// counts the upstreams' requests: normally, and while a zone loses half of its upstreams,
// then all, and gets them back.
func TestZoneSimulation(t *testing.T) {
	t.Parallel()
	const requests = 3000 // of each process
	peers := map[string]int{"a": 5, "b": 1, "c": 2}
	for _, policy := range Policies() {
		if policy == "first" {
			continue // it does not spread load
		}
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			var fleet []*Pool
			for zone, n := range peers {
				for range n {
					fleet = append(fleet, newTestPool(t, Options{Policy: policy, Zone: ZoneOptions{Own: zone, Peers: peers}}, zoned(map[string]int{"a": 6, "b": 4, "c": 8})...))
				}
			}
			for _, step := range []struct {
				name string
				out  int // of zone a
			}{{"in good order", 0}, {"half of a zone out", 3}, {"a zone out", 6}, {"back", 0}} {
				got, kept := map[string]int{}, 0
				for _, p := range fleet {
					for i, u := range p.Upstreams()[:6] {
						u.SetOperator(map[bool]Operator{true: Drain, false: Ready}[i < step.out])
					}
					for range requests {
						m := p.Pick(&Choice{Replayable: true, Hash: rand.Uint64()})
						if m == nil || !m.Available() {
							t.Fatalf("%s: got %v, want an available member", step.name, m)
						}
						if got[m.Addr()]++; m.Zone() == p.Zones().Own {
							kept++
						}
					}
				}
				even := float64(requests*len(fleet)) / float64(18-step.out)
				for a, n := range got {
					if float64(n) > even*1.2*1.15 { // and what chance adds
						t.Errorf("%s: %s got %d, %.2f times an even spread", step.name, a, n, float64(n)/even)
					}
				}
				for i := step.out; i < 18; i++ {
					if float64(got[addr(i)]) < even*0.5 {
						t.Errorf("%s: %s got %d, %.2f times an even spread", step.name, addr(i), got[addr(i)], float64(got[addr(i)])/even)
					}
				}
				t.Logf("%s: %.0f %% kept", step.name, 100*float64(kept)/float64(requests*len(fleet)))
			}
		})
	}
}

// TestZoneFull fills the own zone: the rest goes to other zones, and comes back.
func TestZoneFull(t *testing.T) {
	t.Parallel()
	for _, policy := range Policies() {
		specs := zoned(map[string]int{"a": 3, "b": 3})
		for i := range specs {
			specs[i].MaxInFlight = 2
		}
		p := newTestPool(t, Options{Policy: policy, Zone: ZoneOptions{Own: "a"}}, specs...)
		var leases []Lease
		for range 12 {
			m := p.Pick(&Choice{Replayable: true, Hash: rand.Uint64()})
			if m == nil {
				t.Fatalf("%s: got nobody after %d requests, want 12 places", policy, len(leases))
			}
			leases = append(leases, acquire(t, m, 1))
		}
		if m := p.Pick(&Choice{Replayable: true}); m != nil {
			t.Errorf("%s: got %s, want nobody: all are full", policy, m.Addr())
		}
		for i := range leases {
			leases[i].Release()
		}
		wantShares(t, policy, perZone(p, 1000), map[string]float64{"a": 1})
	}
}

// TestZoneTried sends a request elsewhere after each failure, to all members.
func TestZoneTried(t *testing.T) {
	t.Parallel()
	for _, policy := range Policies() {
		p := newTestPool(t, Options{Policy: policy, Zone: ZoneOptions{Own: "a"}}, zoned(map[string]int{"a": 3, "b": 3})...)
		c := Choice{Replayable: true, Hash: 7}
		for range 6 {
			m := p.Pick(&c)
			if m == nil {
				t.Fatalf("%s: got nobody after %d", policy, len(c.Tried))
			}
			c.Tried = append(c.Tried, m.Upstream)
		}
		if m := p.Pick(&c); m != nil {
			t.Errorf("%s: got %s twice", policy, m.Addr())
		}
	}
}

// TestZoneKeys: equal keys go to the same member in every process of a zone, and a client
// of policy sticky stays in another zone.
func TestZoneKeys(t *testing.T) {
	t.Parallel()
	specs := zoned(map[string]int{"a": 2, "b": 4, "c": 6})
	one := newTestPool(t, Options{Policy: "hash", Zone: ZoneOptions{Own: "a"}}, specs...)
	two := newTestPool(t, Options{Policy: "hash", Zone: ZoneOptions{Own: "a"}}, specs...)
	for key := range uint64(500) {
		c := Choice{Hash: Hash(fmt.Sprint(key))}
		if a, b := one.Pick(&c), two.Pick(&c); a.Addr() != b.Addr() {
			t.Fatalf("key %d: got %s and %s", key, a.Addr(), b.Addr())
		}
	}
	p := newTestPool(t, Options{Policy: "sticky", Zone: ZoneOptions{Own: "a"}}, specs...)
	far := &p.Members()[len(specs)-1]
	for range 100 {
		if m := p.Pick(&Choice{Sticky: far.ID()}); m.Addr() != far.Addr() {
			t.Fatalf("got %s, want %s, where the client was", m.Addr(), far.Addr())
		}
	}
	far.SetOperator(Drain)
	wantShares(t, "new clients", perZone(p, 5000), map[string]float64{"a": 0.655, "b": 0.07, "c": 0.275})
}

// TestZoneTiers has zones within tiers, together with an introduction.
func TestZoneTiers(t *testing.T) {
	t.Parallel()
	specs := zoned(map[string]int{"a": 6, "b": 6})
	for i := range 6 {
		specs[i].Tier, specs[i+6].Tier = i%2, i%2
	}
	p := newTestPool(t, Options{Policy: "random", Zone: ZoneOptions{Own: "a"}}, specs...)
	for range 200 {
		if m := p.Pick(&Choice{}); m.Tier != 0 || m.Zone() != "a" {
			t.Fatalf("got tier %d, zone %s", m.Tier, m.Zone())
		}
	}
	p.Introduce(&Introduction{Upstreams: []string{specs[0].Addr, specs[2].Addr, specs[4].Addr}, Share: 0})
	wantShares(t, "only newcomers at home", perZone(p, 500), map[string]float64{"b": 1})
	p.Introduce(nil)
	wantShares(t, "afterwards", perZone(p, 500), map[string]float64{"a": 1})
}

// TestZonesOut has no available member, and the state says so. The first member that
// returns gets the requests.
func TestZonesOut(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{Zone: ZoneOptions{Own: "a"}}, zoned(map[string]int{"a": 3, "b": 3})...)
	for _, u := range p.Upstreams() {
		u.SetOperator(Drain)
	}
	if r := p.Zones(); r.State != ZonesOut || r.State.String() != "out" || p.Pick(&Choice{}) != nil {
		t.Errorf("got %+v", r)
	}
	p.Upstreams()[5].SetOperator(Ready)
	if m := p.Pick(&Choice{}); m == nil || m.Zone() != "b" || p.Zones().State != ZonesOn {
		t.Errorf("got %v, %+v, want the only one that is available", m, p.Zones())
	}
}
