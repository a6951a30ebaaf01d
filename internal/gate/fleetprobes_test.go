//go:build !minimal

package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
)

// network is the upstreams of a simulation, and the ways there.
type network struct {
	mu     sync.Mutex
	down   map[string]bool
	cut    map[string]bool // "instance upstream"
	probes map[string]int  // by upstream
	all    int
}

var errRefused = errors.New("refused")

// eye is how an instance probes.
type eye struct {
	*network
	name string
}

func (e eye) Probe(_ context.Context, u *balancer.Upstream) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all++
	e.probes[u.Addr()]++
	if e.down[u.Addr()] || e.cut[e.name+" "+u.Addr()] {
		return errRefused
	}
	return nil
}

func (n *network) set(of map[string]bool, what string, yes bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	of[what] = yes
}

// count returns how many probes there are in a time, in all and of one upstream.
func (n *network) count(d time.Duration, addr string) (all, one int) {
	n.mu.Lock()
	a, b := n.all, n.probes[addr]
	n.mu.Unlock()
	time.Sleep(d)
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all - a, n.probes[addr] - b
}

// parted is an engine as an instance sees it that may be cut off from it.
type parted struct {
	fleet.Engine
	cut *atomic.Bool
}

func (p parted) err() error {
	if p.cut.Load() {
		return errRefused
	}
	return nil
}

func (p parted) Put(ctx context.Context, table, key string, value []byte, w fleet.Write) (fleet.Entry, error) {
	if err := p.err(); err != nil {
		return fleet.Entry{}, err
	}
	return p.Engine.Put(ctx, table, key, value, w)
}

func (p parted) List(ctx context.Context, table string, known uint64) (fleet.Listing, error) {
	if err := p.err(); err != nil {
		return fleet.Listing{}, err
	}
	return p.Engine.List(ctx, table, known)
}

func (p parted) Publish(ctx context.Context, topic string, message []byte) error {
	if err := p.err(); err != nil {
		return err
	}
	return p.Engine.Publish(ctx, topic, message)
}

func (p parted) Watch(ctx context.Context, ready func(), heard func(string, []byte)) error {
	return p.Engine.Watch(ctx, ready, func(topic string, message []byte) {
		if p.err() == nil {
			heard(topic, message)
		}
	})
}

// watcher is an instance that checks.
type watcher struct {
	name   string
	pool   *balancer.Pool
	shared *sharedProbes
	cut    *atomic.Bool // it is cut off from the store
	stop   func()
}

func (w *watcher) upstream(addr string) *balancer.Upstream {
	for _, u := range w.pool.Upstreams() {
		if u.Addr() == addr {
			return u
		}
	}
	return nil
}

const checkEvery = 2 * time.Second

// watchAll starts instances that check the same upstreams.
func watchAll(t *testing.T, n *network, store *fleet.Memory, instances, upstreams int, mode string) (all []*watcher) {
	var specs []balancer.Spec
	for i := range upstreams {
		specs = append(specs, balancer.Spec{Addr: fmt.Sprintf("10.0.%d.%d:80", i/250, i%250)})
	}
	for i := range instances {
		name, cut := fmt.Sprint("gate-", i), new(atomic.Bool)
		f, err := fleet.New(fleet.Options{Engine: parted{shut{store}, cut}, Secret: []byte("a secret of the test"), Member: fleet.Member{Name: name}})
		if err != nil {
			t.Fatal(err)
		}
		pool, err := balancer.NewPool(balancer.Options{Policy: "round_robin", Checked: true})
		if err != nil {
			t.Fatal(err)
		}
		pool.Update(specs)
		s := newSharedProbes(f, mode)
		c := health.NewChecker(health.Options{Prober: eye{n, name}, Interval: checkEvery, Thresholds: balancer.Thresholds{Rise: 2, Fall: 2}, Elsewhere: s.elsewhere, Report: s.tell})
		c.Watch(pool.Upstreams())
		s.set("app", probed{checker: c, pool: pool, interval: checkEvery, upstreams: pool.Upstreams()})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(ctx) })
		wg.Go(func() { c.Run(ctx) })
		all = append(all, &watcher{name, pool, s, cut, sync.OnceFunc(func() { cancel(); wg.Wait() })})
	}
	return all
}

// verdictIn waits until all see an upstream like this, and returns how long that took.
func verdictIn(t *testing.T, all []*watcher, addr string, want balancer.Health) time.Duration {
	t.Helper()
	began := time.Now()
	for time.Since(began) < time.Minute {
		missing := 0
		for _, w := range all {
			if w.upstream(addr).Health() != want {
				missing++
			}
		}
		if missing == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// TestSharedProbes runs many instances before many upstreams. It wants few probes, a verdict
// of each instance's own that is as quick as without sharing, also when checkers have ended,
// when the store is away, and when a checker has a bad link.
func TestSharedProbes(t *testing.T) {
	const instances, upstreams = 20, 50
	synctest.Test(t, func(t *testing.T) {
		store := fleet.NewMemory()
		n := &network{down: map[string]bool{}, cut: map[string]bool{}, probes: map[string]int{}}
		all := watchAll(t, n, store, instances, upstreams, "auto")
		defer func() {
			for _, w := range all {
				w.stop()
			}
		}()
		time.Sleep(20 * time.Second)
		const addr = "10.0.0.7:80"
		within := func(what string, took, most time.Duration) {
			t.Helper()
			t.Logf("%s: %v", what, took)
			if took > most {
				t.Errorf("%s: took %v, want at most %v", what, took, most)
			}
		}
		probes, _ := n.count(20*time.Second, addr)
		alone := instances * upstreams * 20 / 2
		t.Logf("%d probes in 20 s, instead of %d", probes, alone)
		if want := upstreams * 20 / 2; probes < want || probes > want*fleet.Checkers*3/2 {
			t.Errorf("%d probes in 20 s, want about %d", probes, want*fleet.Checkers)
		}

		n.set(n.down, addr, true)
		within("down", verdictIn(t, all, addr, balancer.Down), checkEvery+time.Second)
		_, of := n.count(20*time.Second, addr)
		t.Logf("%d probes in 20 s of the one that is down", of)
		if often := 20 * 10 * fleet.Checkers; of > often+instances*20/2*2 {
			t.Errorf("%d probes in 20 s of the one that is down", of)
		}
		n.set(n.down, addr, false)
		within("up again", verdictIn(t, all, addr, balancer.Up), checkEvery+time.Second)

		checkers := checkersOf(all, addr)
		if len(checkers) != fleet.Checkers {
			t.Fatalf("%d check %s, want %d", len(checkers), addr, fleet.Checkers)
		}
		n.set(n.cut, checkers[0].name+" "+addr, true)
		for range 150 {
			time.Sleep(100 * time.Millisecond)
			for _, w := range all {
				if u := w.upstream(addr); w != checkers[0] && (u.Health() != balancer.Up || !u.Available()) {
					t.Fatalf("%s has taken the word of a checker with a bad link", w.name)
				}
			}
		}
		if checkers[0].upstream(addr).Health() != balancer.Down {
			t.Error("the checker with the bad link does not see that")
		}
		n.set(n.cut, checkers[0].name+" "+addr, false)
		time.Sleep(10 * time.Second)

		alive := all[:0:0]
		for _, w := range all {
			if w == checkers[0] || w == checkers[1] {
				w.stop()
			} else {
				alive = append(alive, w)
			}
		}
		n.set(n.down, addr, true)
		within("down when both checkers have just ended", verdictIn(t, alive, addr, balancer.Down), 2*checkEvery+time.Second)
		n.set(n.down, addr, false)
		within("up again", verdictIn(t, alive, addr, balancer.Up), checkEvery+time.Second)
		time.Sleep(10 * time.Second)

		half := alive[:len(alive)/2]
		for _, w := range half {
			w.cut.Store(true)
		}
		n.set(n.down, addr, true)
		within("down while half of them are cut off", verdictIn(t, alive, addr, balancer.Down), 2*checkEvery+time.Second)
		n.set(n.down, addr, false)
		within("up again", verdictIn(t, alive, addr, balancer.Up), checkEvery+time.Second)
		for _, w := range half {
			w.cut.Store(false)
		}
		time.Sleep(20 * time.Second)

		store.Fail(errRefused)
		n.set(n.down, addr, true)
		within("down without the store", verdictIn(t, alive, addr, balancer.Down), 2*checkEvery+time.Second)
		time.Sleep(10 * time.Second)
		if probes, _ := n.count(20*time.Second, addr); probes < alone*8/10 {
			t.Errorf("without the store %d probes in 20 s, want each instance to check for itself: %d", probes, alone)
		}
		store.Fail(nil)
		time.Sleep(20 * time.Second)
		if probes, _ := n.count(20*time.Second, addr); probes > alone/4 {
			t.Errorf("with the store again %d probes in 20 s", probes)
		}
	})
}

// checkersOf returns the instances that check an upstream for all.
func checkersOf(all []*watcher, addr string) (list []*watcher) {
	for _, w := range all {
		if !w.shared.elsewhere(w.upstream(addr)) {
			list = append(list, w)
		}
	}
	return list
}

// TestSharedProbesWhen checks that health checks are shared if that saves enough, or if
// the configuration says so.
func TestSharedProbesWhen(t *testing.T) {
	for _, tc := range []struct {
		mode                 string
		instances, upstreams int
		shares               bool
	}{
		{"auto", 3, 400, false}, {"auto", 4, 249, false}, {"auto", 4, 250, true}, {"auto", 20, 10, false},
		{"own", 5, 300, false}, {"shared", 3, 2, true}, {"shared", 2, 2, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{down: map[string]bool{}, cut: map[string]bool{}, probes: map[string]int{}}
			all := watchAll(t, n, fleet.NewMemory(), tc.instances, tc.upstreams, tc.mode)
			time.Sleep(5 * time.Second)
			here := 0
			for _, w := range all {
				_, n, _ := w.shared.count()
				here += n
			}
			want := tc.instances * tc.upstreams
			if tc.shares {
				want = fleet.Checkers * tc.upstreams
			}
			if here != want {
				t.Errorf("%+v: %d checks, want %d", tc, here, want)
			}
			for _, w := range all {
				w.stop()
			}
		})
	}
}

// TestFleetSharedProbes checks that real instances share the health checks, and that
// each of them verifies a failing upstream itself.
func TestFleetSharedProbes(t *testing.T) {
	t.Parallel()
	const config = `
fleet: {addresses: [%q], secret: "a secret of the test", instance: %s, probes: shared}
pools:
  app:
    health: {path: /health, interval: 200ms, fast_interval: 50ms, fall: 2}
    upstreams: [%q]
`
	store := fleettest.StartRedis(t)
	var ill atomic.Bool
	upstream := (&stage{t: t}).serve(func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	var all []*stage
	for i := range 4 {
		s := &stage{t: t}
		s.run(config, store.Address, fmt.Sprint("gate-", i), upstream)
		all = append(all, s)
	}
	for _, s := range all {
		s.until("shared checks", func(st *admin.Status) bool {
			return len(st.Fleet.Members) == 4 && st.Fleet.Checks != nil && st.Fleet.Checks.Upstreams == 1
		})
	}
	here := 0 // on a busy machine, the instances agree on the checkers only after a while
	eventually(t, "as many checkers as wanted", func() bool {
		here = 0
		for _, s := range all {
			if c := s.status().Fleet.Checks; c != nil {
				here += c.Here
			}
		}
		return here == fleet.Checkers
	}, func() string { return fmt.Sprint(here, " instances check the upstream") })
	for _, down := range []bool{true, false, true} {
		ill.Store(down)
		for _, s := range all {
			s.until("its own verdict", func(st *admin.Status) bool { return (st.Pools[0].Upstreams[0].Health == "down") == down })
		}
	}
}
