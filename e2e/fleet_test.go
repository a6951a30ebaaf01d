package e2e_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
)

// member is an instance of a fleet.
type member struct {
	*gate
	t     *testing.T
	admin string
}

// startMember starts an instance whose rate is perSecond for all together.
func startMember(t *testing.T, store, name, app string, perSecond int) *member {
	t.Helper()
	m := &member{t: t, admin: freeAddress(t)}
	m.gate = startGate(t, fmt.Sprintf(`
listeners: ["${LISTEN}"]
admin: %q
shutdown: {lame_duck: 0s, grace: 1s}
fleet: {instance: %s, secret: "a secret of the test", %s}
routes:
  - {name: limited, match: {path: /limited}, pool: app, limits: {rates: [{on: all, requests: %d, scope: fleet}]}}
  - {name: rest, pool: app}
pools: {app: {upstreams: [%s]}}
`, m.admin, name, store, perSecond, app))
	return m
}

func (m *member) fleet() admin.Fleet {
	var f admin.Fleet
	res, err := http.Get("http://" + m.admin + "/v1/fleet")
	if err != nil {
		return f
	}
	defer res.Body.Close()
	json.NewDecoder(res.Body).Decode(&f)
	return f
}

func (m *member) until(what string, ok func(admin.Fleet) bool) time.Duration {
	m.t.Helper()
	began := time.Now()
	waitFor(m.t, what, func() bool { return ok(m.fleet()) })
	return time.Since(began)
}

// drained reports whether the only upstream is drained.
func (m *member) drained() bool {
	var s admin.Status
	c := admin.Client{Address: m.admin}
	return c.Get(m.t.Context(), "/v1/status", &s) == nil && s.Pools[0].Upstreams[0].Operator == "drain"
}

// TestFleetLosses brings about each loss of the store while requests come: none fails, the
// rate holds, and the instances find each other again.
func TestFleetLosses(t *testing.T) {
	store := fleettest.StartRedis(t)
	app := startApp(t, "go", "app")
	const perSecond = 50
	at := fmt.Sprintf("addresses: [%q]", store.Address)
	a, b := startMember(t, at, "a", app.url(), perSecond), startMember(t, at, "b", app.url(), perSecond)
	a.until("two members", whole)
	b.until("two members", whole)
	do := func(commands ...string) {
		t.Helper()
		if _, err := store.Do(commands...); err != nil {
			t.Fatal(err)
		}
	}
	losses := []struct {
		name       string
		begin, end func()
	}{
		{"kill -9", store.Kill, store.Start},
		{"SIGSTOP", store.Stop, store.Continue},
		{"CLIENT PAUSE", func() { do("CLIENT PAUSE 4000 ALL") }, func() {}},
		{"wrong password", func() { do("CONFIG SET requirepass other", "AUTH other", "CLIENT KILL TYPE normal SKIPME yes") }, func() { do("AUTH other", `CONFIG SET requirepass ""`) }},
	}
	if os.Getenv("GOODGATE_LONG") == "" {
		losses = losses[:1]
	}
	for _, l := range losses {
		t.Run(l.name, func(t *testing.T) {
			load := startLoad(t, load{address: fixed(a.address), rate: 100, methods: safe, keepAlive: true})
			l.begin()
			lost := a.until("alone", alone)
			b.until("alone", alone)
			a.wantSeen(false, "")
			let, span := limited(t, []*member{a, b}, time.Second)
			l.end()
			back := max(a.until("connected", whole), b.until("connected", whole))
			a.wantSeen(true, "")
			wantNoneFailed(t, a.gate, load.finish())
			t.Logf("noticed after %v, back after %v, %d limited requests let in in %v", lost, back, let, span)
			if most := perSecond + int(span.Seconds()*perSecond*1.2) + 2; let == 0 || let > most {
				t.Errorf("%d of the limited requests were let in in %v, want at most %d", let, span, most)
			}
		})
	}
}

// limited sends requests to all members as fast as possible, and returns how many were
// admitted in a time.
func limited(t *testing.T, all []*member, d time.Duration) (let int, span time.Duration) {
	t.Helper()
	began := time.Now()
	for time.Since(began) < d {
		for _, m := range all {
			switch a := ask(t, m.address, "GET", "/limited"); a.StatusCode {
			case http.StatusOK:
				let++
			case http.StatusTooManyRequests:
			default:
				t.Fatalf("got %d", a.StatusCode)
			}
		}
	}
	return let, time.Since(began)
}

// TestFleetFailover lets sentinels promote a replica: the fleet continues with it, and
// keeps all changes of operators.
func TestFleetFailover(t *testing.T) {
	if os.Getenv("GOODGATE_LONG") == "" {
		t.Skip("GOODGATE_LONG=1 runs this")
	}
	first := fleettest.StartRedis(t)
	_, port, _ := net.SplitHostPort(first.Address)
	second := fleettest.StartRedis(t, "replicaof 127.0.0.1 "+port)
	sentinel := fleettest.StartSentinel(t, "sentinel monitor main 127.0.0.1 "+port+" 1", "sentinel down-after-milliseconds main 500", "sentinel failover-timeout main 5000")
	waitFor(t, "the sentinel knows the replica", func() bool {
		line, err := sentinel.Do("SENTINEL CKQUORUM main")
		role, err2 := second.Do("INFO replication")
		return err == nil && err2 == nil && line != "" && role != ""
	})
	app := startApp(t, "go", "app")
	for _, s := range []*fleettest.Server{first, second} { // users are not replicated
		doAt(t, s)(aclOfDocs(t, "a-password"))
	}
	at := fmt.Sprintf("addresses: [%q], sentinel: {master: main}, username: goodgate, password: a-password", sentinel.Address)
	a, b := startMember(t, at, "a", app.url(), 50), startMember(t, at, "b", app.url(), 50)
	a.until("two members", whole)
	b.until("two members", whole)
	if _, errors, code := command(t, t.TempDir(), "drain", "--yes", "--admin", a.admin, app.url()); code != 0 {
		t.Fatal(errors)
	}
	waitFor(t, "the other drains too", b.drained)
	waitFor(t, "the sentinel sees the replica", func() bool {
		line, err := sentinel.Do("SENTINEL REPLICAS main")
		return err == nil && line == "*1"
	})
	first.Kill()
	a.until("alone", func(f admin.Fleet) bool { return !f.Connected })
	a.wantSeen(false, "")
	t.Logf("connected to the new primary after %v", a.until("connected", whole))
	b.until("connected", whole)
	a.wantSeen(true, "")
	c := startMember(t, at, "c", app.url(), 50)
	waitFor(t, "who comes late drains too", c.drained)
}
