package balancer_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// Each letter is an event, a millisecond after the previous one: a request is sent (q)
// and answered (r); a probe begins (b), is answered (a), ends well (e) or in silence (s).
// "." is 200 ms without an event. The test checks the pulse at the end, and whether it
// asked for a probe.
func TestPulse(t *testing.T) {
	t.Parallel()
	// Before that: nothing; an answered probe; one that was answered while a request
	// waited; one that was answered only after a request.
	const never, once, between, after = "", "bae", "qbaer", "qb.rae."
	for name, want := range map[string]struct {
		before, events string
		pulse          balancer.Pulse
		asks           bool
	}{
		"nothing":                       {never, "", balancer.Unknown, true},
		"an answer":                     {never, "qr", balancer.Running, false},
		"an old one":                    {never, "qr.", balancer.Unknown, true},
		"a probe is in flight":          {never, "b", balancer.Unknown, false},
		"a probe is in flight for long": {never, "b......", balancer.Unknown, false},
		"the probe passed":              {once, "", balancer.Running, false},
		"a while ago":                   {once, ".", balancer.Unknown, true},
		"a connection alone":            {once, ".be", balancer.Unknown, false},
		"and then":                      {once, ".be.", balancer.Unknown, true},

		"unseen":           {once, ".b...", balancer.Unknown, false},
		"unseen, long":     {once, ".b....", balancer.Hung, false},
		"concurrent":       {between, ".b..", balancer.Hung, false},
		"serial":           {after, "b......", balancer.Unknown, false},
		"serial once more": {between + after, "b......", balancer.Unknown, false},
		"no more":          {after + between, ".b....", balancer.Hung, false},

		"silence":                 {between, ".b..s", balancer.Hung, false},
		"long silence":            {between, ".b..s.", balancer.Hung, false},
		"another probe":           {between, ".b..sb", balancer.Hung, false},
		"another probe connects":  {between, ".b..sbe", balancer.Hung, false},
		"a request is answered":   {between, ".b..sqr", balancer.Running, false},
		"some time later":         {between, ".b..sqr.", balancer.Unknown, true},
		"a probe is answered":     {between, ".b..sbae", balancer.Running, false},
		"a while after the probe": {between, ".b..sbae.", balancer.Unknown, true},
		"answered, the probe not": {between, ".b..qr", balancer.Running, false},
		"nor since":               {between, ".b..qr..", balancer.Hung, false},
		"nor to its end":          {between, ".b..qrs", balancer.Running, false},
		"also some time later":    {between, ".b..qrs.", balancer.Unknown, true},
		"probes that take 800 ms": {"qb....aer", "b....", balancer.Unknown, false},
		"one that takes a second": {"qb....aer", "b.....", balancer.Hung, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := probedUpstream(t)
				var lease balancer.Lease
				for _, e := range want.before + want.events {
					happen(u, &lease, e)
					time.Sleep(time.Millisecond)
				}
				got := u.Pulse(time.Now(), 100*time.Millisecond)
				asked := len(u.Nudged()) > 0
				if got != want.pulse || asked != want.asks {
					t.Errorf("got %d, asked %t, want %d, %t", got, asked, want.pulse, want.asks)
				}
				lease.Release()
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

func happen(u *balancer.Upstream, lease *balancer.Lease, event rune) {
	switch now := time.Now(); event {
	case 'q':
		*lease, _ = (&balancer.Member{Upstream: u}).TryAcquire()
	case 'r':
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
