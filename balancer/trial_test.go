package balancer

import (
	"testing"
	"testing/synctest"
	"time"
)

// share returns how many of 300 picks, for requests that are Replayable or not, go to the
// member with address a.
func share(p *Pool, a string, replayable bool) int {
	return counts(p, 300, Choice{Replayable: replayable})[a]
}

// TestTrial: an upstream on trial gets only Replayable requests while another one is
// available.
func TestTrial(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		opts Options
		out  func(t *testing.T, p *Pool) *Member // returns the one on trial
	}{
		"joined late": {Options{}, func(t *testing.T, p *Pool) *Member {
			p.Update(specsOf(3))
			return &p.Members()[2]
		}},
		"was refused": {Options{Checked: true}, func(t *testing.T, p *Pool) *Member {
			m := &p.Members()[0]
			m.Refused()
			m.ObserveProbe(Passed, Thresholds{Rise: 3})
			return m
		}},
		"half-open": {ejecting(0.5), func(t *testing.T, p *Pool) *Member {
			m := &p.Members()[0]
			attempt(t, m, Failure)
			time.Sleep(7 * time.Second)
			return m
		}},
	} {
		for _, policy := range Policies() {
			if policy == "first" {
				continue // has no shares
			}
			t.Run(name+"/"+policy, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := tc.opts
					o.Policy = policy
					p := newTestPool(t, o, specsOf(2)...)
					defer p.Update(nil)
					for i := range p.Members() {
						p.Members()[i].ObserveProbe(Passed, Thresholds{})
					}
					m := tc.out(t, p)
					if got := share(p, m.Addr(), false); got != 0 {
						t.Errorf("cannot be sent again: got %d of 300, want none", got)
					}
					if got := share(p, m.Addr(), true); got == 0 {
						t.Error("can be sent again: got none")
					}
					for i := range p.Members() {
						if o := &p.Members()[i]; o.Upstream != m.Upstream {
							o.SetOperator(Drain)
						}
					}
					if got := share(p, m.Addr(), false); got != 300 {
						t.Errorf("nobody else: got %d of 300, want all", got)
					}
				})
			})
		}
	}
}

// TestTrialEnds: a trial ends with an answer, with enough probes, or with the end of
// patience.
func TestTrialEnds(t *testing.T) {
	f := func(name string, prove func(t *testing.T, m *Member), want bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			p := newTestPool(t, Options{Checked: true}, specsOf(2)...)
			defer p.Update(nil)
			m := &p.Members()[0]
			for i := range p.Members() {
				p.Members()[i].ObserveProbe(Passed, Thresholds{})
			}
			early := acquire(t, m, 1)
			time.Sleep(time.Second)
			m.Refused()
			m.ObserveProbe(Passed, Thresholds{Rise: 3})
			early.Report(Success, time.Second)
			if m.proven() {
				t.Errorf("%s: proven by one probe, or by what was sent before", name)
			}
			prove(t, m)
			if got := m.proven(); got != want {
				t.Errorf("%s: got proven %v, want %v", name, got, want)
			}
		})
	}
	f("nothing", func(*testing.T, *Member) {}, false)
	f("answer", func(t *testing.T, m *Member) {
		time.Sleep(time.Millisecond)
		attempt(t, m, Success)
	}, true)
	f("failure", func(t *testing.T, m *Member) { attempt(t, m, Failure) }, false)
	f("client left", func(t *testing.T, m *Member) { attempt(t, m, Ignored) }, false)
	f("probes", func(t *testing.T, m *Member) {
		m.ObserveProbe(Passed, Thresholds{Rise: 3})
		m.ObserveProbe(Passed, Thresholds{Rise: 3})
	}, true)
	f("too few probes in a row", func(t *testing.T, m *Member) {
		m.ObserveProbe(Passed, Thresholds{Rise: 3})
		m.ObserveProbe(Wrong, Thresholds{Rise: 3, Fall: 2})
		m.ObserveProbe(Passed, Thresholds{Rise: 3})
	}, false)
	f("patience", func(*testing.T, *Member) { time.Sleep(trialPatience + 1) }, true)
}

// TestNoTrialAtTheStart: the first upstreams of a pool, and those with enough passed
// probes, get no trial.
func TestNoTrialAtTheStart(t *testing.T) {
	t.Parallel()
	p := newTestPool(t, Options{}, specsOf(2)...)
	checked := newTestPool(t, Options{Checked: true}, specsOf(2)...)
	for i := range checked.Members() {
		checked.Members()[i].ObserveProbe(Passed, Thresholds{Rise: 3})
	}
	for _, p := range []*Pool{p, checked} {
		for i := range p.Members() {
			if !p.Members()[i].proven() {
				t.Errorf("member %d is on trial", i)
			}
		}
	}
}

// TestTrialAcrossTiers: a request that is not Replayable goes to the next tier rather
// than to an upstream on trial.
func TestTrialAcrossTiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := ejecting(1)
		p := newTestPool(t, o, Spec{Addr: "a:1"}, Spec{Addr: "b:1", Tier: 1})
		defer p.Update(nil)
		attempt(t, &p.Members()[0], Failure)
		time.Sleep(7 * time.Second)
		if got := share(p, "a:1", false); got != 0 {
			t.Errorf("cannot be sent again: got %d of 300 to the half-open one, want none", got)
		}
		if got := share(p, "a:1", true); got != 300 {
			t.Errorf("can be sent again: got %d of 300 to tier 0, want all", got)
		}
		p.Members()[1].SetOperator(Drain)
		if got := share(p, "a:1", false); got != 300 {
			t.Errorf("nobody else: got %d of 300, want all", got)
		}
	})
}
