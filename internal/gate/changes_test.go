package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/discovery"
	"github.com/goodgate/goodgate/internal/lab/logtest"
)

func changeOf(kind changes.Kind, upstream, value string) changes.Change {
	c := changes.Change{Subject: changes.Subject{Kind: kind, Pool: "app", Upstream: upstream}, By: "ci"}
	if value != "" {
		c.Value = json.RawMessage(value)
	}
	return c
}

func drainOf(upstream string) changes.Change { return changeOf(changes.State, upstream, `"drain"`) }

// look returns the members of the first pool, with the settings that operators can
// change.
func (r *running) look() string {
	var list []string
	members := r.gate.Pools()[0].Members()
	for i := range members {
		list = append(list, fmt.Sprint(members[i].Addr(), " ", members[i].Weight, " ", members[i].Operator()))
	}
	return strings.Join(list, ", ")
}

func (r *running) ordered(t *testing.T, c changes.Change) changes.Change {
	t.Helper()
	c, err := r.gate.Order(c)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const twoUpstreams = `
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s, grace: 0s}
state: {file: %q}
pools:
  app: {upstreams: [%s], health: {type: none}, policy: first}`

func twoIn(t *testing.T, file, upstreams string) *running {
	t.Helper()
	return start(t, parse(t, fmt.Sprintf(twoUpstreams, file, upstreams)), Options{})
}

// Operators' changes are in force when the order returns. The next gate with the same
// file applies them before its first request.
func TestChangesAreApplied(t *testing.T) {
	for _, tc := range []struct {
		name   string
		orders []changes.Change
		want   string
	}{
		{"nothing", nil, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready"},
		{"drain", []changes.Change{drainOf("127.0.0.1:2")}, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 drain"},
		{"off, then weight", []changes.Change{changeOf(changes.State, "127.0.0.1:1", `"off"`), changeOf(changes.Weight, "127.0.0.1:1", "7")}, "127.0.0.1:1 7 off, 127.0.0.1:2 1 ready"},
		{"drain and ready", []changes.Change{drainOf("127.0.0.1:2"), changeOf(changes.State, "127.0.0.1:2", `"ready"`)}, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready"},
		{"weight and the file's weight", []changes.Change{changeOf(changes.Weight, "127.0.0.1:2", "9"), changeOf(changes.Weight, "127.0.0.1:2", "1")}, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready"},
		{"added", []changes.Change{changeOf(changes.Added, "127.0.0.1:3", `{"weight":4}`)}, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready, 127.0.0.1:3 4 ready"},
		{"added by TLS and a socket", []changes.Change{changeOf(changes.Added, "https://127.0.0.1:3", ""), changeOf(changes.Added, "unix:/run/a.sock", "")}, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready, 127.0.0.1:3 1 ready, unix:/run/a.sock 1 ready"},
		{"added, drained", []changes.Change{changeOf(changes.Added, "http://127.0.0.1:3", ""), drainOf("127.0.0.1:3")}, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready, 127.0.0.1:3 1 drain"},
		{"removed", []changes.Change{changeOf(changes.Removed, "127.0.0.1:1", "")}, "127.0.0.1:2 1 ready"},
		{"drained, removed, added", []changes.Change{drainOf("127.0.0.1:1"), changeOf(changes.Removed, "127.0.0.1:1", ""), changeOf(changes.Added, "127.0.0.1:1", "")}, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready"},
		{"added, drained, removed, added", []changes.Change{changeOf(changes.Added, "127.0.0.1:3", ""), drainOf("127.0.0.1:3"), changeOf(changes.Removed, "127.0.0.1:3", ""), changeOf(changes.Added, "127.0.0.1:3", "")}, "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready, 127.0.0.1:3 1 ready"},
		{"the last removed", []changes.Change{changeOf(changes.Removed, "127.0.0.1:1", ""), changeOf(changes.Removed, "127.0.0.1:2", "")}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "state.json")
			const upstreams = `"http://127.0.0.1:1", "http://127.0.0.1:2"`
			g := twoIn(t, file, upstreams)
			for _, c := range tc.orders {
				g.ordered(t, c)
			}
			if got := g.look(); got != tc.want {
				t.Errorf("when the orders have returned: %s, want %s", got, tc.want)
			}
			next := twoIn(t, file, upstreams)
			if got := next.look(); got != tc.want {
				t.Errorf("the next gate of the file: %s, want %s", got, tc.want)
			}
			for _, c := range next.gate.Changes().All() {
				if _, err := next.gate.Changes().TakeBack(c.ID, "ci", ""); err != nil && !errors.Is(err, changes.ErrUnknown) {
					t.Error(err)
				}
			}
			if got := next.look(); got != "127.0.0.1:1 1 ready, 127.0.0.1:2 1 ready" || len(next.gate.Changes().All()) > 0 {
				t.Errorf("all taken back: %s, with %v", got, next.gate.Changes().All())
			}
		})
	}
}

// A later change of the file overrules a change of the same setting, and no other.
func TestFileOverrules(t *testing.T) {
	for _, tc := range []struct {
		name     string
		order    changes.Change
		later    string // upstreams of the file
		inForce  bool
		upstream string // of look
	}{
		{"drain, another entry", drainOf("127.0.0.1:1"), `"http://127.0.0.1:1", "http://127.0.0.1:3"`, true, "127.0.0.1:1 1 drain"},
		{"drain, other weight", drainOf("127.0.0.1:1"), `{url: "http://127.0.0.1:1", weight: 3}, "http://127.0.0.1:2"`, true, "127.0.0.1:1 3 drain"},
		{"drain, entry gone", drainOf("127.0.0.1:1"), `"http://127.0.0.1:2"`, false, "127.0.0.1:2 1 ready"},
		{"weight, file changes another one's", changeOf(changes.Weight, "127.0.0.1:1", "7"), `"http://127.0.0.1:1", {url: "http://127.0.0.1:2", weight: 3}`, true, "127.0.0.1:1 7 ready"},
		{"weight, other weight", changeOf(changes.Weight, "127.0.0.1:1", "7"), `{url: "http://127.0.0.1:1", weight: 3}, "http://127.0.0.1:2"`, false, "127.0.0.1:1 3 ready"},
		{"removed, entry stays", changeOf(changes.Removed, "127.0.0.1:1", ""), `"http://127.0.0.1:1", "http://127.0.0.1:3"`, true, "127.0.0.1:3 1 ready"},
		{"removed, entry changed", changeOf(changes.Removed, "127.0.0.1:1", ""), `{url: "http://127.0.0.1:1", tier: 1}, "http://127.0.0.1:2"`, false, "127.0.0.1:1 1 ready"},
		{"added, others changed", changeOf(changes.Added, "127.0.0.1:3", ""), `"http://127.0.0.1:1"`, true, "127.0.0.1:3 1 ready"},
		{"added, the file has it", changeOf(changes.Added, "127.0.0.1:3", `{"weight":5}`), `"http://127.0.0.1:1", "http://127.0.0.1:3"`, false, "127.0.0.1:3 1 ready"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "state.json")
			g := twoIn(t, file, `"http://127.0.0.1:1", "http://127.0.0.1:2"`)
			g.ordered(t, tc.order)
			later := parse(t, fmt.Sprintf(twoUpstreams, file, tc.later))
			restarted := start(t, later, Options{}) // as after a restart with the later file
			g.reload(t, later)
			for how, r := range map[string]*running{"reload": g, "restart": restarted} {
				eventually(t, how, func() bool { return slices.Contains(strings.Split(r.look(), ", "), tc.upstream) }, r.look)
				if got := len(r.gate.Changes().All()); (got == 1) != tc.inForce {
					t.Errorf("%s: %d changes are in force, want it to be: %t", how, got, tc.inForce)
				}
			}
		})
	}
}

// A drained upstream that leaves discovery and comes back is drained again, and was never
// used in between.
func TestDrainedUpstreamComesBack(t *testing.T) {
	g := twoIn(t, "", `"http://127.0.0.1:1", "http://127.0.0.1:2"`)
	g.ordered(t, drainOf("127.0.0.1:2"))
	p := g.gate.current.Load().pools["app"]
	one, both := []discovery.Target{{Addr: "127.0.0.1:1"}}, []discovery.Target{{Addr: "127.0.0.1:1"}, {Addr: "127.0.0.1:2"}}
	p.update(one)
	p.update(both)
	if got, want := g.look(), "127.0.0.1:1 1 ready, 127.0.0.1:2 1 drain"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if u := g.gate.Pools()[0].Members()[1]; !u.OperatorSince().IsZero() {
		t.Error("it was something else for a moment")
	}
}

func TestRejectedOrders(t *testing.T) {
	at := "unix:" + filepath.Join(t.TempDir(), "s")
	g := start(t, parse(t, fmt.Sprintf(strings.Replace(twoUpstreams, "127.0.0.1:0", at, 1), "", `"http://127.0.0.1:1"`)), Options{})
	elsewhere := drainOf("127.0.0.1:1")
	elsewhere.Pool = "other"
	for name, tc := range map[string]struct {
		order changes.Change
		want  string
	}{
		"added twice":      {changeOf(changes.Added, "http://127.0.0.1:1", ""), "pool app has 127.0.0.1:1 already, from its configuration"},
		"added by TLS too": {changeOf(changes.Added, "https://127.0.0.1:1", ""), "already"},
		"no URL":           {changeOf(changes.Added, "ftp://127.0.0.1:1", ""), "ftp://127.0.0.1:1"},
		"a path":           {changeOf(changes.Added, "http://127.0.0.1:9/x", ""), "a host and a port"},
		"a port too large": {changeOf(changes.Added, "127.0.0.1:70000", ""), "70000"},
		"weight a":         {changeOf(changes.Weight, "127.0.0.1:1", `"a"`), `weight "a": it must be a whole number from 1 to 1000`},
		"state 7":          {changeOf(changes.State, "127.0.0.1:1", "7"), "state 7: it must be ready, drain or off"},
		"weight 0":         {changeOf(changes.Weight, "127.0.0.1:1", "0"), "weight 0: it must be a whole number from 1 to 1000"},
		"weight 1001":      {changeOf(changes.Added, "127.0.0.1:9", `{"weight":1001}`), "weight 1001"},
		"tier 10":          {changeOf(changes.Added, "127.0.0.1:9", `{"tier":10}`), "tier 10"},
		"a word as weight": {changeOf(changes.Weight, "127.0.0.1:1", `"much"`), "invalid change"},
		"another state":    {changeOf(changes.State, "127.0.0.1:1", `"away"`), `state "away"`},
		"no upstream":      {drainOf("127.0.0.1:77"), "no entry of the configuration has found 127.0.0.1:77 of pool app"},
		"no pool":          {elsewhere, "pool other is not configured"},
		"goodgate itself":  {changeOf(changes.Added, at, ""), "own listener"},
	} {
		if _, err := g.gate.Order(tc.order); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
	if list := g.gate.Changes().All(); len(list) > 0 {
		t.Errorf("in force: %v", list)
	}
}

// An upstream that is added gets requests, and none once it is removed.
func TestAddedUpstreamServes(t *testing.T) {
	newcomer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "new") }))
	defer newcomer.Close()
	g := twoIn(t, "", `"`+app(t, "old")+`"`)
	g.ordered(t, drainOf(g.gate.Pools()[0].Members()[0].Addr()))
	added := g.ordered(t, changeOf(changes.Added, newcomer.URL, ""))
	if got := get(t, "http://"+g.addrs[0]); !strings.HasPrefix(got, "200 new") {
		t.Errorf("got %q", got)
	}
	g.reload(t, parse(t, fmt.Sprintf(twoUpstreams, "", `"`+app(t, "other")+`"`)))
	if got := g.look(); !strings.Contains(got, added.Upstream[len("http://"):]) {
		t.Errorf("after a reload: %s", got)
	}
}

// While a new process takes over, changes are refused, and nothing is when that fails.
func TestChangesDuringUpgrade(t *testing.T) {
	g := twoIn(t, filepath.Join(t.TempDir(), "state.json"), `"http://127.0.0.1:1"`)
	b, err := g.gate.beginUpgrade()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.gate.Order(drainOf("127.0.0.1:1")); !errors.Is(err, changes.ErrFrozen) {
		t.Errorf("meanwhile: got %v, want ErrFrozen", err)
	}
	var k known
	if err := json.Unmarshal(b.Known, &k); err != nil || k.Changes == nil {
		t.Errorf("the next process gets %v, %v", k.Changes, err)
	}
	g.gate.endUpgrade(false)
	g.ordered(t, drainOf("127.0.0.1:1"))
}

// The API records changes in the book, and reports the differences from the file.
func TestChangesByAPI(t *testing.T) {
	dir := t.TempDir()
	var log logtest.Buffer
	g := start(t, parse(t, fmt.Sprintf(twoUpstreams, filepath.Join(dir, "state.json"), `"http://127.0.0.1:1", "http://127.0.0.1:2"`)+
		"\nadmin: {address: \"unix:"+dir+"/s\", token: 0123456789abcdef, tokens: [{name: ci, token: fedcba9876543210}]}"), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := admin.Client{Address: "unix:" + dir + "/s", Token: "fedcba9876543210", User: "eve"}
	var done admin.Ordered
	for _, w := range []admin.Wish{
		{Kind: changes.Added, Upstream: "127.0.0.1:3", Value: json.RawMessage(`{"weight":2}`), Why: "load test", For: "2h"},
		{Kind: changes.State, Upstream: "app/127.0.0.1:1", Value: json.RawMessage(`"drain"`)},
		{Kind: changes.Removed, Pool: "app", Upstream: "http://127.0.0.1:2/"},
	} {
		if err := c.Post(t.Context(), "/v1/changes", w, &done); err != nil || len(done.Changes) != 1 || done.Lost != "" {
			t.Fatalf("%+v: %+v, %v", w, done, err)
		}
	}
	var s admin.Status
	if err := c.Get(t.Context(), "/v1/status", &s); err != nil || len(s.Changes) != 3 {
		t.Fatalf("%+v, %v", s.Changes, err)
	}
	first := s.Changes[0]
	if first.Says != "http://127.0.0.1:3 was added to pool app" || first.By != "ci" || first.Note != "eve" || first.Why != "load test" || time.Until(first.Until) < time.Hour {
		t.Errorf("got %+v", first)
	}
	if err := c.Delete(t.Context(), "/v1/changes/"+s.Changes[2].ID, &done); err != nil {
		t.Error(err)
	}
	if got, want := g.look(), "127.0.0.1:1 1 drain, 127.0.0.1:2 1 ready, 127.0.0.1:3 2 ready"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if put, back := log.Line("what=put"), log.Line("what=\"taken back\""); !strings.Contains(put, "kind=added") || !strings.Contains(put, "by=ci") || !strings.Contains(back, "kind=removed") || log.Line("fedcba") != "" {
		t.Errorf("the log has %s and %s", put, back)
	}
	for _, tc := range []struct {
		wish admin.Wish
		code int
	}{
		{admin.Wish{Kind: changes.Added, Upstream: "127.0.0.1:3"}, 409},
		{admin.Wish{Kind: changes.Added, Pool: "ap", Upstream: "127.0.0.1:4"}, 404},
		{admin.Wish{Kind: changes.Added}, 400},
		{admin.Wish{Kind: changes.Pause, Pool: "app"}, 400},
		{admin.Wish{Kind: changes.State, Upstream: "127.0.0.1:9", Value: json.RawMessage(`"drain"`)}, 404},
		{admin.Wish{Kind: changes.State, Upstream: "127.0.0.1:1", Value: json.RawMessage(`"drain"`), For: "2 hours"}, 400},
		{admin.Wish{Kind: changes.State, Upstream: "127.0.0.1:1", Value: json.RawMessage(`"drain"`), For: "-2h"}, 400},
	} {
		err := c.Post(t.Context(), "/v1/changes", tc.wish, &done)
		if refused, ok := errors.AsType[*admin.Refused](err); !ok || refused.Status != tc.code {
			t.Errorf("%+v: got %v, want %d", tc.wish, err, tc.code)
		}
	}
}

// A state file that is broken, or cannot be written, keeps no gate from starting, and no
// order from being carried out.
func TestStateFileErrors(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte(`{"version":1,"changes":[{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{broken, "/dev/full", filepath.Join(broken, "below"), dir} {
		g := twoIn(t, file, `"http://127.0.0.1:1"`)
		g.ordered(t, drainOf("127.0.0.1:1"))
		if got := g.look(); got != "127.0.0.1:1 1 drain" || (g.gate.Changes().Kept() == nil) != (file == broken) {
			t.Errorf("%s: %s, kept: %v", file, got, g.gate.Changes().Kept())
		}
	}
	if aside, _ := filepath.Glob(broken + ".broken-*"); len(aside) != 1 {
		t.Errorf("set aside: %q", aside)
	}
}

// The answer to an order that leaves a pool without an upstream says so.
func TestLastUpstreamIsRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, parse(t, fmt.Sprintf(twoUpstreams, filepath.Join(dir, "state.json"), `"http://127.0.0.1:1"`)+"\nadmin: unix:"+dir+"/s"), Options{})
	c := admin.Client{Address: "unix:" + dir + "/s"}
	post := func(w admin.Wish) (done admin.Ordered) {
		t.Helper()
		if err := c.Post(t.Context(), "/v1/changes", w, &done); err != nil {
			t.Fatal(err)
		}
		return done
	}
	added := post(admin.Wish{Kind: changes.Added, Upstream: "127.0.0.1:2"})
	if first := post(admin.Wish{Kind: changes.Removed, Upstream: "127.0.0.1:1"}); len(added.Changes) != 1 || len(added.Empty)+len(first.Empty) != 0 {
		t.Fatalf("with an upstream left: %+v, %+v", added, first)
	}
	var undone admin.Ordered
	if err := c.Delete(t.Context(), "/v1/changes/"+added.Changes[0].ID, &undone); err != nil || fmt.Sprint(undone.Empty) != "[app]" {
		t.Errorf("the addition of the last is taken back: %+v, %v", undone, err)
	}
	post(admin.Wish{Kind: changes.Added, Upstream: "127.0.0.1:1"})
	if last := post(admin.Wish{Kind: changes.Removed, Upstream: "127.0.0.1:1"}); fmt.Sprint(last.Empty) != "[app]" {
		t.Errorf("the last is removed: %+v", last)
	}
}

// Only its own command ends a deploy: without its change it would continue, and be lost
// at a restart.
func TestDeployIsNotReverted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := start(t, parse(t, fmt.Sprintf(twoUpstreams, filepath.Join(dir, "state.json"), `"http://127.0.0.1:1"`)+"\nadmin: unix:"+dir+"/s"), Options{})
	put, err := g.gate.changes.Put(changes.Change{Subject: changes.Subject{Kind: changes.Deploy, Pool: "app"}, Value: json.RawMessage(`{}`), By: "ci"})
	if err != nil {
		t.Fatal(err)
	}
	c := admin.Client{Address: "unix:" + dir + "/s"}
	err = c.Delete(t.Context(), "/v1/changes/"+put.ID, &admin.Ordered{})
	if refused, ok := errors.AsType[*admin.Refused](err); !ok || refused.Status != 409 || !strings.Contains(refused.Text, "goodgate deploy back app") {
		t.Errorf("got %v", err)
	}
}
