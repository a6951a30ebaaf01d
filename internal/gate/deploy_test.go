package gate

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/deploy"
)

// TestStand: a deploy can set every state of a pool's upstreams again and again, and no
// change remains once all is as in the file.
func TestStand(t *testing.T) {
	t.Parallel()
	const (
		file = `"http://127.0.0.1:1", "http://127.0.0.1:2"`
		old  = "127.0.0.1:1"
		url  = "http://127.0.0.1:3/"
	)
	g := twoIn(t, filepath.Join(t.TempDir(), "state.json"), file)
	pool := deployed{g.gate, "app"}
	fresh, err := pool.Lookup(url)
	if err != nil || fresh != "127.0.0.1:3" {
		t.Fatalf("%s is %q, %v", url, fresh, err)
	}
	for _, step := range []struct {
		name            string
		origin, url     string
		member, drained bool
		want            string
		changes         int
	}{
		{"the new one joins", fresh, url, true, false, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready, 127.0.0.1:3 1 ready", 1},
		{"the old one drains", old, "", true, true, "127.0.0.1:1 1 drain, 127.0.0.1:2 1 ready, 127.0.0.1:3 1 ready", 2},
		{"and is ready again", old, "", true, false, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready, 127.0.0.1:3 1 ready", 1},
		{"it drains once more", old, "", true, true, "127.0.0.1:1 1 drain, 127.0.0.1:2 1 ready, 127.0.0.1:3 1 ready", 2},
		{"it leaves", old, "", false, false, "127.0.0.1:2 1 ready, 127.0.0.1:3 1 ready", 2},
		{"it comes back", old, "http://127.0.0.1:1", true, false, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready, 127.0.0.1:3 1 ready", 1},
		{"the new one drains", fresh, "", true, true, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready, 127.0.0.1:3 1 drain", 2},
		{"and leaves", fresh, "", false, false, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready", 0},
	} {
		for range 2 {
			if err := pool.Stand(step.origin, step.url, step.member, step.drained, "ci"); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if got := g.look(); got != step.want {
				t.Errorf("%s: the members are %q, want %q", step.name, got, step.want)
			}
			if got := g.gate.changes.All(); len(got) != step.changes {
				t.Errorf("%s: %d changes are in force, want %d: %v", step.name, len(got), step.changes, got)
			}
		}
	}
}

// TestStandKeepsOrders: what an operator says of an upstream, before a deploy or in the
// middle of it, holds in all of its stages.
func TestStandKeepsOrders(t *testing.T) {
	t.Parallel()
	const first, second, fresh = "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"
	g := twoIn(t, filepath.Join(t.TempDir(), "state.json"), `"http://127.0.0.1:1", "http://127.0.0.1:2"`)
	pool := deployed{g.gate, "app"}
	stand := func(origin, url string, member, drained bool) {
		t.Helper()
		if err := pool.Stand(origin, url, member, drained, "ci"); err != nil {
			t.Fatal(err)
		}
	}
	say := func(kind changes.Kind, upstream, value string) {
		t.Helper()
		c := changes.Change{Subject: changes.Subject{Kind: kind, Pool: "app", Upstream: upstream}, Value: json.RawMessage(value), By: "alice", Why: "deploy"}
		if _, err := g.gate.Order(c); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when, members string) {
		t.Helper()
		if got := g.look(); got != members {
			t.Errorf("%s: the members are %q, want %q", when, got, members)
		}
	}
	say(changes.State, second, `"drain"`)
	stand(fresh, "http://127.0.0.1:3", true, false)
	stand(first, "", true, false)
	stand(second, "", true, false)
	want("drained before", "127.0.0.1:1 1 ready, 127.0.0.1:2 1 drain, 127.0.0.1:3 1 ready")
	stand(first, "", true, true)
	stand(second, "", true, true)
	stand(first, "", true, false)
	stand(second, "", true, false)
	want("after the deploy has drained all", "127.0.0.1:1 1 ready, 127.0.0.1:2 1 drain, 127.0.0.1:3 1 ready")
	say(changes.State, fresh, `"drain"`)
	stand(fresh, "", true, false)
	want("the new one is drained meanwhile", "127.0.0.1:1 1 ready, 127.0.0.1:2 1 drain, 127.0.0.1:3 1 drain")
	say(changes.Removed, first, "")
	say(changes.Removed, fresh, "")
	stand(first, "", true, false)
	stand(fresh, "", true, false)
	want("removed meanwhile", "127.0.0.1:2 1 drain")
	stand(fresh, "http://127.0.0.1:3", false, false)
	stand(first, "", true, false)
	want("when it has gone back", "127.0.0.1:2 1 drain")
}

// TestDeployToUnusableUpstream: an address that cannot be an upstream of the pool is
// refused before any change.
func TestDeployToUnusableUpstream(t *testing.T) {
	t.Parallel()
	g := start(t, parse(t, `
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s, grace: 0s}
pools: {app: {protocol: h2c, upstreams: ["http://127.0.0.1:1"], health: {type: none}}}`), Options{})
	_, err := deployed{g.gate, "app"}.Lookup("https://127.0.0.1:2")
	if err == nil || !strings.Contains(err.Error(), "pools.app.protocol is h2c") {
		t.Errorf("TLS to a pool of h2c: %v", err)
	}
}

// TestNewUpstreamsHaveTheSameLimits: a new upstream has the limits of the old ones.
func TestNewUpstreamsHaveTheSameLimits(t *testing.T) {
	t.Parallel()
	g := twoIn(t, "", `{url: "http://127.0.0.1:1", weight: 3, max_in_flight: 20}, {url: "http://127.0.0.1:2", weight: 3, max_in_flight: 10}, {url: "http://127.0.0.1:4", tier: 1}`)
	pool := deployed{g.gate, "app"}
	pool.Introduce(&balancer.Introduction{Upstreams: []string{"127.0.0.1:3"}})
	if err := pool.Stand("127.0.0.1:3", "http://127.0.0.1:3", true, false, "ci"); err != nil {
		t.Fatal(err)
	}
	for _, m := range g.gate.Pools()[0].Members() {
		if m.Addr() == "127.0.0.1:3" && (m.Weight != 3 || m.MaxInFlight != 10 || m.Tier != 0) {
			t.Errorf("weight %d, max_in_flight %d, tier %d", m.Weight, m.MaxInFlight, m.Tier)
		}
	}
}

// TestDeployedPools: a deploy refuses a pool that discovers its upstreams, with the
// reason. A pool that is gone causes no panic.
func TestDeployedPools(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := start(t, parse(t, `
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s, grace: 0s}
pools:
  found: {upstreams: [{file: "`+filepath.Join(dir, "list")+`"}], health: {type: none}}
  named: {upstreams: ["http://localhost:1"], health: {type: none}}
routes: [{pool: named}]`), Options{})
	if err := (deployed{g.gate, "found"}).Check(); err == nil || !strings.Contains(err.Error(), "outside of the file") {
		t.Errorf("a pool with a file: %v", err)
	}
	named := deployed{g.gate, "named"}
	if err := named.Check(); err != nil {
		t.Errorf("a pool with a name: %v", err)
	}
	for _, m := range named.Members() {
		if m.Origin != "localhost:1" {
			t.Errorf("%s is of %q", m.Addr, m.Origin)
		}
	}
	gone := deployed{g.gate, "gone"}
	if gone.Check() == nil || gone.Members() != nil || gone.Stand("127.0.0.1:1", "", true, false, "") != nil || gone.Ask(t.Context(), "127.0.0.1:1", "/") == nil {
		t.Error("a pool that is gone")
	}
	gone.Introduce(nil)
	if _, err := g.gate.deploys.Order(deploy.Order{Pool: "gone", To: []string{"http://127.0.0.1:9"}}, "ci"); err == nil {
		t.Error("a deploy to it has begun")
	}
}
