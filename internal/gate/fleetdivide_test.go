//go:build !minimal

package gate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
)

// shut keeps an engine that several share from being closed by one.
type shut struct{ fleet.Engine }

func (shut) Close() error { return nil }

// sender is an instance of a simulation: its part in the fleet, and its view of a pool.
type sender struct {
	fleet *inFleet
	pool  *balancer.Pool
	stop  func()
}

// TestZonesOfFleet runs three instances in zone a and one in zone b, before three upstreams
// in each, and wants no zone to be flooded or left without work, while instances come and go
// and the store is away.
func TestZonesOfFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		var all []*sender
		begin := func(zone string) {
			f, err := fleet.New(fleet.Options{Engine: shut{store}, Secret: []byte("a secret of the test"), Member: fleet.Member{Name: fmt.Sprint("gate-", len(all)), Zone: zone}})
			if err != nil {
				t.Fatal(err)
			}
			p, err := balancer.NewPool(balancer.Options{Policy: "round_robin", Zone: balancer.ZoneOptions{Own: zone, Load: 1}})
			if err != nil {
				t.Fatal(err)
			}
			var specs []balancer.Spec
			for i := range 6 {
				specs = append(specs, balancer.Spec{Addr: fmt.Sprintf("10.0.0.%d:80", i), Zone: []string{"a", "b"}[i%2]})
			}
			p.Update(specs)
			s := &sender{fleet: &inFleet{Fleet: f}, pool: p}
			f.FollowMembers(func(s *fleet.State) { p.SetPeers(s.Zones()) })
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { f.Run(ctx) })
			s.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
			all = append(all, s)
		}
		check := func(what string, senders []*sender, want float64) {
			t.Helper()
			inA, n := 0, 0
			for _, s := range senders {
				for range 4000 {
					if s.pool.Pick(&balancer.Choice{Replayable: true, Hash: rand.Uint64()}).Zone() == "a" {
						inA++
					}
					n++
				}
			}
			got := float64(inA) / float64(n)
			t.Logf("%s: %.1f %% in zone a", what, 100*got)
			if math.Abs(got-want) > 0.02 {
				t.Errorf("%s: %.3f of the requests go to zone a, want %.3f", what, got, want)
			}
		}
		for _, zone := range []string{"a", "a", "a", "b"} {
			begin(zone)
		}
		time.Sleep(3 * time.Second)
		for _, s := range all {
			s.pool.SetPeers(nil)
		}
		check("if each took the others for equal", all, 0.75)
		for _, s := range all {
			s.pool.SetPeers(s.fleet.State().Zones())
		}
		check("3 and 1", all, 0.5)
		store.Fail(context.DeadlineExceeded)
		time.Sleep(time.Minute)
		check("without the store", all, 0.5)
		store.Flush()
		store.Fail(nil)
		for range 20 {
			time.Sleep(200 * time.Millisecond)
			if p := all[0].fleet.State().Zones(); p["a"] != 3 || p["b"] != 1 {
				t.Fatalf("while an empty store fills: %v", p)
			}
		}
		all[0].stop()
		all[1].stop()
		time.Sleep(10 * time.Second)
		check("1 and 1", all[2:], 0.5)
		if m := all[2].pool.Zones().Meant; m != 1 {
			t.Errorf("1 and 1: %.2f stay in zone a, want all", m)
		}
		begin("b")
		time.Sleep(3 * time.Second)
		check("1 and 2", all[2:], 0.5)
		for _, s := range all {
			s.stop()
		}
	})
}

// TestFleetZones checks that the pools of real instances know the zones of the others.
func TestFleetZones(t *testing.T) {
	t.Parallel()
	const config = `
fleet: {addresses: [%q], secret: "a secret of the test", instance: %s}
zone: {name: %s, load: 100%%, min_upstreams: 4}
pools:
  app:
    health: {type: none}
    upstreams: [{url: "http://127.0.0.1:1", zone: a}, {url: "http://127.0.0.1:2", zone: a}, {url: "http://127.0.0.1:3", zone: b}, {url: "http://127.0.0.1:4", zone: b}]
`
	store := fleettest.StartRedis(t)
	var all []*stage
	for i, zone := range []string{"a", "a", "a", "b"} {
		s := &stage{t: t}
		s.run(config, store.Address, fmt.Sprint("gate-", i), zone)
		all = append(all, s)
	}
	for i, want := range []float64{2.0 / 3, 2.0 / 3, 2.0 / 3, 1} {
		s := all[i]
		s.until("the share of its zone", func(*admin.Status) bool { return math.Abs(s.g.gate.Pools()[0].Zones().Meant-want) < 0.001 })
	}
}

// TestFleetCaps checks that real instances divide their common limits, and keep their
// shares while the store is away.
func TestFleetCaps(t *testing.T) {
	t.Parallel()
	const config = `
fleet: {addresses: [%q], secret: "a secret of the test", instance: %s}
routes: [{name: all, pool: app, limits: {max_requests: 12, max_requests_scope: fleet}}]
pools:
  app:
    health: {type: none}
    queue: {max_wait: 1ms}
    limits: {max_requests: 4, max_requests_scope: fleet}
    upstreams: [{url: %q, max_in_flight: 6, max_in_flight_scope: fleet}]
`
	store := fleettest.StartRedis(t)
	release := make(chan struct{})
	upstream := (&stage{t: t}).serve(func(http.ResponseWriter, *http.Request) { <-release })
	let := sync.OnceFunc(func() { close(release) })
	t.Cleanup(let) // before the upstream closes, which waits for its requests
	begin := func(name string) *stage {
		s := &stage{t: t}
		s.run(config, store.Address, name, upstream)
		return s
	}
	want := func(what string, s *stage, shares ...int) {
		t.Helper()
		s.until(what, func(st *admin.Status) bool {
			var got []int
			for _, share := range st.Fleet.Shares {
				got = append(got, share.Share)
			}
			u := st.Pools[0].Upstreams
			return slices.Equal(got, shares) && len(u) == 1 && u[0].Limit == shares[2] && u[0].FleetMax == 6
		})
	}
	a := begin("one")
	want("alone", a, 12, 4, 6)
	b := begin("two")
	want("of two", a, 6, 2, 3)
	want("of two", b, 6, 2, 3)
	a.together(2)
	b.together(2)
	for _, s := range []*stage{a, b} {
		s.until("two at each", func(st *admin.Status) bool { return st.Pools[0].InFlight == 2 })
		if got := s.get(1); got != http.StatusServiceUnavailable {
			t.Errorf("a fifth request got %d", got)
		}
	}
	store.Kill()
	a.until("alone", func(st *admin.Status) bool { return !st.Fleet.Connected })
	want("without the store", a, 6, 2, 3)
	if got := a.get(1); got != http.StatusServiceUnavailable {
		t.Errorf("without the store a fifth request got %d", got)
	}
	let()
}
