package gate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// leaver is an application with a page that is closed for maintenance. It answers
// everything like that while it shuts down.
type leaver struct {
	*httptest.Server
	leaves atomic.Bool
	probes atomic.Int64
}

func startLeaver(t *testing.T) *leaver {
	l := &leaver{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			l.probes.Add(1)
		}
		if l.leaves.Load() || r.URL.Path == "/maint" {
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(503)
		}
	}))
	t.Cleanup(l.Close)
	return l
}

// startWithLeavers returns a gate in front of three of them, once they take requests.
func startWithLeavers(t *testing.T, health string) (*running, []*leaver, []balancer.Member) {
	apps := []*leaver{startLeaver(t), startLeaver(t), startLeaver(t)}
	urls := make([]string, len(apps))
	for i, a := range apps {
		urls[i] = fmt.Sprintf("%q", a.URL)
	}
	g := start(t, parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
pools: {app: {policy: round_robin, upstreams: [%s], health: %s}}`, strings.Join(urls, ", "), health)), Options{})
	var members []balancer.Member
	eventually(t, "the first probes", func() bool {
		members = g.gate.Pools()[0].Members()
		return len(members) == 3 && members[0].Available() && members[1].Available() && members[2].Available()
	}, func() string { return statesOf(members) })
	return g, apps, members
}

func statesOf(members []balancer.Member) (s string) {
	for i := range members {
		m := &members[i]
		s += fmt.Sprintf("%s: resting %t, breaker %v, probes %v; ", m.Addr(), m.Resting(), m.Breaker(), m.Health())
	}
	return s
}

// One GET of a closed page takes no upstream out, for any health check of the pool.
// (benoitc/gunicorn#3726 is a server that answers so.)
func TestMaintenancePage(t *testing.T) {
	t.Parallel()
	for name, health := range map[string]string{
		"http":  "{path: /healthz, interval: 1m, jitter: 0}",
		"alive": "{interval: 1m, jitter: 0}",
		"tcp":   "{type: tcp, interval: 1m, jitter: 0}",
		"none":  "{type: none}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, apps, members := startWithLeavers(t, health)
			before := make([]int64, len(apps))
			for i := range apps {
				before[i] = apps[i].probes.Load()
			}
			if got := get(t, "http://"+g.addrs[0]+"/maint"); got != "503 " {
				t.Errorf("got %q, want the application's 503", got)
			}
			asked := func() (n int) {
				for i, a := range apps {
					if a.probes.Load() > before[i] {
						n++
					}
				}
				return n
			}
			if name == "http" {
				eventually(t, "the probes that ask whether they leave", func() bool { return asked() >= 3 }, func() string { return fmt.Sprint(asked(), " asked") })
			}
			for range 20 {
				for i := range members {
					if !members[i].Available() {
						t.Fatalf("%s is out: %s", members[i].Addr(), statesOf(members))
					}
				}
				time.Sleep(5 * time.Millisecond) // a probe that took it out would have come by then
			}
		})
	}
}

// A server that really leaves is out after its first such answer, because of the probe
// that it causes, and comes back with the first passed probe.
func TestServerLeavesAndReturns(t *testing.T) {
	t.Parallel()
	g, apps, members := startWithLeavers(t, "{path: /healthz, interval: 1s, fall: 100}")
	leaver := 0
	for members[leaver].Addr() != apps[0].Listener.Addr().String() {
		leaver++
	}
	apps[0].leaves.Store(true)
	eventually(t, "the rest of the one that leaves", func() bool {
		if got := get(t, "http://"+g.addrs[0]+"/"); got != "200 " {
			t.Fatalf("a client got %q", got)
		}
		return members[leaver].Resting()
	}, func() string { return statesOf(members) })
	if got := members[leaver].Breaker().String(); got != "closed" {
		t.Errorf("its breaker is %s although it said that it leaves", got)
	}
	apps[0].leaves.Store(false)
	eventually(t, "its return", members[leaver].Available, func() string { return statesOf(members) })
}
