package balancer_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// Each letter is something that happens, a millisecond apart: a request is answered
// (r), a probe begins (b), is answered (a), ends well (e) or in silence (s), and "." is
// 200 ms of nothing. What the pulse is then, and whether a probe was asked for.
func TestPulse(t *testing.T) {
	t.Parallel()
	for events, want := range map[string]struct {
		pulse balancer.Pulse
		asks  bool
	}{
		"":        {balancer.Unknown, true},
		"r":       {balancer.Running, false},
		"r.":      {balancer.Unknown, true},
		"b":       {balancer.Unknown, false},
		"b.":      {balancer.Hung, false},
		"bae":     {balancer.Running, false},
		"bae.":    {balancer.Unknown, true},
		"be":      {balancer.Unknown, false}, // a connection alone
		"be.":     {balancer.Unknown, true},
		"b.s":     {balancer.Hung, false},
		"b.s.":    {balancer.Hung, false},
		"b.sb":    {balancer.Hung, false},
		"b.sbe":   {balancer.Hung, false},
		"b.sr":    {balancer.Running, false},
		"b.sr.":   {balancer.Unknown, true},
		"b.sbae":  {balancer.Running, false},
		"b.sbae.": {balancer.Unknown, true},
		"b.r":     {balancer.Running, false},
		"b.r.":    {balancer.Hung, false}, // it has answered, and the probe is still out
		"b.rs":    {balancer.Running, false},
		"b.rs.":   {balancer.Unknown, true},
		"b....ae": {balancer.Running, false},
		// Its probes take 800 ms, so one may take a second.
		"b....aeb....":  {balancer.Unknown, false},
		"b....aeb.....": {balancer.Hung, false},
	} {
		t.Run(events, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := probedUpstream(t)
				for _, e := range events {
					happen(u, e)
					time.Sleep(time.Millisecond)
				}
				got := u.Pulse(time.Now(), 100*time.Millisecond)
				asked := len(u.Nudged()) > 0
				if got != want.pulse || asked != want.asks {
					t.Errorf("got %d, asked %t, want %d, %t", got, asked, want.pulse, want.asks)
				}
			})
		})
	}
}

func probedUpstream(t *testing.T) *balancer.Upstream {
	p, err := balancer.NewPool(balancer.Options{Name: "app", Checked: true})
	if err != nil {
		t.Fatal(err)
	}
	p.Update([]balancer.Spec{{Addr: "app:80"}})
	u := p.Members()[0].Upstream
	u.ObserveProbe(balancer.Passed, balancer.Thresholds{})
	return u
}

func happen(u *balancer.Upstream, event rune) {
	switch now := time.Now(); event {
	case 'r':
		lease, _ := (&balancer.Member{Upstream: u}).TryAcquire()
		lease.Report(balancer.Success, 0)
		lease.Release()
	case 'b':
		u.ProbeBegins(now)
	case 'a':
		u.Answered(now)
	case 'e', 's':
		u.ProbeEnds(event == 's')
	case '.':
		time.Sleep(200 * time.Millisecond)
	}
}
