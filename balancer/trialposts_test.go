package balancer

import (
	"testing"
	"testing/synctest"
	"time"
)

// posts are requests that are not Replayable, in a pool that gets no others.
type posts struct {
	every time.Duration         // time between two requests
	probe func(*Upstream) Probe // the result of a probe now; nil = no probes
}

// untilClosed sends posts to the pool until the breaker of u has closed, for at most d.
// All succeed. It returns the times until the first one went to u and until the breaker
// closed; d = never.
func (s posts) untilClosed(t *testing.T, p *Pool, u *Upstream, d time.Duration) (first, closed time.Duration) {
	t.Helper()
	began := time.Now()
	stop := s.probes(p)
	defer stop()
	for first = d; u.Breaker() != Closed; {
		time.Sleep(s.every)
		if time.Since(began) >= d {
			return first, d
		}
		m := p.Pick(&Choice{})
		if m == nil {
			t.Fatalf("after %v: no upstream for a request", time.Since(began))
		}
		attempt(t, m, Success)
		if m.Upstream == u {
			first = min(first, time.Since(began))
		}
	}
	return first, time.Since(began)
}

// probes probes all upstreams every two seconds.
func (s posts) probes(p *Pool) (stop func()) {
	if s.probe == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			for _, u := range p.Upstreams() {
				u.ObserveProbe(s.probe(u), Thresholds{Rise: 2, Fall: 2})
			}
			select {
			case <-end:
				return
			case <-time.After(2 * time.Second):
			}
		}
	}()
	return func() { close(end); <-ended }
}

// healthy passes every probe.
func healthy(*Upstream) Probe { return Passed }

// passAll passes a first probe of every member.
func passAll(p *Pool) {
	for i := range p.Members() {
		p.Members()[i].ObserveProbe(Passed, Thresholds{})
	}
}

// halfOpened ejects a member, and returns at the end of its open time.
func halfOpened(t *testing.T, m *Member) {
	t.Helper()
	attempt(t, m, Failure)
	for m.Breaker() == Open {
		time.Sleep(time.Millisecond)
	}
	if got := m.Breaker(); got != HalfOpen {
		t.Fatalf("got %v, want half-open", got)
	}
}

// TestPostsAfterAnEjection: with every policy, an ejected upstream gets requests that
// cannot be sent again once it has waited for others, with probes and without.
func TestPostsAfterAnEjection(t *testing.T) {
	t.Parallel()
	for _, policy := range Policies() {
		for name, probe := range map[string]func(*Upstream) Probe{"probes pass": healthy, "no probes": nil} {
			t.Run(policy+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := ejecting(0.5)
					o.Policy, o.Checked, o.SlowStart = policy, probe != nil, 10*time.Second
					p := newTestPool(t, o, specsOf(3)...)
					defer p.Update(nil)
					passAll(p)
					m := &p.Members()[0]
					halfOpened(t, m)
					first, closed := posts{50 * time.Millisecond, probe}.untilClosed(t, p, m.Upstream, 5*time.Minute)
					checkWait(t, first, closed, trialPatience)
				})
			})
		}
	}
}

// checkWait checks the results of untilClosed: the first request comes soon after wait,
// and the breaker closes soon after that.
func checkWait(t *testing.T, first, closed, wait time.Duration) {
	t.Helper()
	const early, late = 10 * time.Millisecond, 3 * time.Second
	if first < wait-early || first > wait+late {
		t.Errorf("first request after %v, want it soon after %v", first, wait)
	}
	if closed > first+late {
		t.Errorf("closed after %v, want it soon after %v", closed, first)
	}
}

// TestPostsToAnUpstreamOnTrial: no upstream stays without requests because all requests
// of its pool are posts.
func TestPostsToAnUpstreamOnTrial(t *testing.T) {
	t.Parallel()
	often := posts{50 * time.Millisecond, healthy}
	f := func(name string, s posts, o Options, specs []Spec, out func(t *testing.T, p *Pool), wait time.Duration) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o.Policy, o.Checked = "round_robin", true
				p := newTestPool(t, o, specs...)
				defer p.Update(nil)
				passAll(p)
				out(t, p)
				first, closed := s.untilClosed(t, p, p.Members()[0].Upstream, 5*time.Minute)
				checkWait(t, first, closed, wait)
			})
		})
	}
	ejected := func(t *testing.T, p *Pool) { halfOpened(t, &p.Members()[0]) }

	f("two upstreams", often, ejecting(0.5), specsOf(2), ejected, trialPatience)
	f("another tier", often, ejecting(0.5), []Spec{{Addr: "a:1"}, {Addr: "b:1", Tier: 1}}, ejected, trialPatience)
	zones := ejecting(0.5)
	zones.Zone = ZoneOptions{Own: "a", Min: 2}
	f("another zone", often, zones, []Spec{{Addr: "a:1", Zone: "a"}, {Addr: "b:1", Zone: "b"}}, ejected, trialPatience)
	f("doubted meanwhile", often, ejecting(0.5), specsOf(2), func(t *testing.T, p *Pool) {
		ejected(t, p)
		p.Doubt(p.Members()[0].Addr())
	}, trialPatience)

	outlier := ejecting(0.5)
	outlier.Breaker.Consecutive, outlier.Outlier = 0, finds
	f("an outlier", often, outlier, specsOf(3), func(t *testing.T, p *Pool) {
		m := &p.Members()[0]
		for m.Breaker() == Closed {
			play(t, p, 100, 100*time.Millisecond, map[string]script{m.Addr(): {fails: 0.4, takes: around(2 * time.Millisecond)}})
		}
		for m.Breaker() == Open {
			time.Sleep(time.Millisecond)
		}
	}, trialPatience)

	began := time.Now()
	failing := func(from, to time.Duration) func(u *Upstream) Probe {
		return func(u *Upstream) Probe {
			if d := time.Since(began); u == u.pool.Members()[0].Upstream && d > from && d < to {
				return Wrong
			}
			return Passed
		}
	}
	// Down after the probes at 4 s and 6 s, up after those at 22 s and 24 s.
	f("probes fail meanwhile", posts{50 * time.Millisecond, failing(3*time.Second, 21*time.Second)}, ejecting(0.5), specsOf(2), func(t *testing.T, p *Pool) {
		ejected(t, p)
		began = time.Now()
	}, 24*time.Second+trialPatience)
}

// TestPostsWhileAllHalfOpen: upstreams that are all on trial get posts at once.
func TestPostsWhileAllHalfOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := ejecting(1)
		o.Policy, o.Checked = "round_robin", true
		p := newTestPool(t, o, specsOf(3)...)
		defer p.Update(nil)
		passAll(p)
		m := p.Members()
		for range fineRow {
			attempt(t, &m[2], Success) // else they would fail alike
		}
		attempt(t, &m[0], Failure)
		attempt(t, &m[1], Failure)
		time.Sleep(7 * time.Second)
		m[2].SetOperator(Drain)
		for i := range m[:2] {
			if got := m[i].Breaker(); got != HalfOpen {
				t.Fatalf("member %d: got %v, want half-open", i, got)
			}
		}
		got := counts(p, 300, Choice{})
		if a, b := got[m[0].Addr()], got[m[1].Addr()]; a == 0 || b == 0 || a+b != 300 {
			t.Errorf("got %d and %d of 300", a, b)
		}
		began := time.Now()
		_, closed := posts{50 * time.Millisecond, healthy}.untilClosed(t, p, m[0].Upstream, time.Minute)
		_, other := posts{50 * time.Millisecond, healthy}.untilClosed(t, p, m[1].Upstream, time.Minute)
		if closed == time.Minute || other == time.Minute || time.Since(began) > trialPatience+2*time.Second {
			t.Errorf("the breakers closed after %v and %v", closed, other)
		}
	})
}

// TestRarePosts: an upstream comes back with one request an hour.
func TestRarePosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := ejecting(0.5)
		o.Policy, o.Checked = "round_robin", true
		p := newTestPool(t, o, specsOf(2)...)
		defer p.Update(nil)
		passAll(p)
		m := &p.Members()[0]
		halfOpened(t, m)
		if _, closed := (posts{time.Hour, healthy}).untilClosed(t, p, m.Upstream, 10*time.Hour); closed > 4*time.Hour {
			t.Errorf("closed after %v, want it after two of every second request", closed)
		}
	})
}

// TestDownWhileHalfOpen: an upstream that goes down during the trial after an ejection
// must prove itself for its return too, whether its breaker closes or not.
func TestDownWhileHalfOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := ejecting(0.5)
		o.Checked = true
		p := newTestPool(t, o, specsOf(2)...)
		defer p.Update(nil)
		passAll(p)
		m := &p.Members()[0]
		halfOpened(t, m)
		first, second := acquire(t, m, 1), acquire(t, m, 1)
		time.Sleep(time.Second)
		m.Refused()
		first.Report(Success, time.Second)
		second.Report(Success, time.Second)
		m.ObserveProbe(Passed, Thresholds{Rise: 2})
		if m.Breaker() != Closed || m.Health() != Up {
			t.Fatalf("breaker %v, health %v", m.Breaker(), m.Health())
		}
		if m.proven() {
			t.Error("proven by requests that it answered before it went down")
		}
		m.ObserveProbe(Passed, Thresholds{Rise: 2})
		if !m.proven() {
			t.Error("not proven by passed probes")
		}
	})
}
