package gate

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/lab/dnstest"
)

// names is a name server that knows a.test (127.0.0.5) and b.test (127.0.0.6), until it
// is down.
type names struct {
	addr string
	down atomic.Bool
}

func serveNames(t *testing.T) *names {
	t.Helper()
	s := &names{}
	s.addr = dnstest.Serve(t, func(q dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.ResourceBody) {
		last, known := map[string]byte{"a.test.": 5, "b.test.": 6}[q.Name.String()]
		switch {
		case s.down.Load():
			return dnsmessage.RCodeServerFailure, nil
		case !known:
			return noSuchName(q)
		}
		return addresses4([4]byte{127, 0, 0, last})(q)
	})
	return s
}

// poolAt returns a configuration whose pool app asks a name server.
func poolAt(dns, upstreams string) string {
	return fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s, grace: 0s}
pools:
  app: {upstreams: [%s], health: {type: none}, policy: first, dns: {resolver: %q}}`, upstreams, dns)
}

// An operator's removal of an added upstream is in force when the order returns, whatever
// the names of the others do.
func TestAddedUpstreamLeaves(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for _, tc := range []struct {
		name, file, dns string // dns "" = a server that knows a.test and b.test
		add, remove     []string
		want            string
	}{
		{name: "the other name is unknown", file: "http://127.0.0.1:1", add: []string{"127.0.0.1:3", "nope.test:4"}, remove: []string{"127.0.0.1:3"},
			want: "127.0.0.1:1 1 ready"},
		{name: "added in the other order", file: "http://127.0.0.1:1", add: []string{"nope.test:4", "127.0.0.1:3"}, remove: []string{"127.0.0.1:3"},
			want: "127.0.0.1:1 1 ready"},
		{name: "a name leaves", file: "http://127.0.0.1:1", add: []string{"a.test:3", "nope.test:4"}, remove: []string{"a.test:3"},
			want: "127.0.0.1:1 1 ready"},
		{name: "found by its address", file: "http://127.0.0.1:1", add: []string{"a.test:3", "nope.test:4"}, remove: []string{"127.0.0.5:3"},
			want: "127.0.0.1:1 1 ready"},
		{name: "one of several names is known", file: "http://127.0.0.1:1", add: []string{"a.test:3", "nope.test:4", "b.test:5"}, remove: []string{"a.test:3"},
			want: "127.0.0.1:1 1 ready, 127.0.0.6:5 1 ready"},
		{name: "the unknown name leaves", file: "http://127.0.0.1:1", add: []string{"a.test:3", "nope.test:4"}, remove: []string{"nope.test:4"},
			want: "127.0.0.1:1 1 ready, 127.0.0.5:3 1 ready"},
		{name: "all leave", file: "http://127.0.0.1:1", add: []string{"127.0.0.1:3", "nope.test:4"}, remove: []string{"127.0.0.1:3", "nope.test:4"},
			want: "127.0.0.1:1 1 ready"},
		{name: "the name of the file is unknown", file: "http://nope.test:1", add: []string{"127.0.0.1:3", "nope.test:4"}, remove: []string{"127.0.0.1:3"}},
		{name: "the name of the file is unknown, and one stays", file: "http://nope.test:1", add: []string{"127.0.0.1:3", "127.0.0.1:4"}, remove: []string{"127.0.0.1:3"},
			want: "127.0.0.1:4 1 ready"},
		{name: "the name server is silent", file: "http://127.0.0.1:1", dns: silent.LocalAddr().String(), add: []string{"127.0.0.1:3", "a.test:4", "127.0.0.1:5"}, remove: []string{"127.0.0.1:3"},
			want: "127.0.0.1:1 1 ready, 127.0.0.1:5 1 ready"},
		{name: "the name server is silent, for the file too", file: "http://a.test:1", dns: silent.LocalAddr().String(), add: []string{"127.0.0.1:3", "a.test:4"}, remove: []string{"127.0.0.1:3"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dns, timeout := tc.dns, "1m"
			if dns == "" {
				dns, timeout = serveNames(t).addr, "2s"
			}
			config := strings.Replace(poolAt(dns, `"`+tc.file+`"`), "dns: {", "dns: {timeout: "+timeout+", ", 1)
			g := start(t, parse(t, config), Options{})
			for _, u := range tc.add {
				g.ordered(t, changeOf(changes.Added, u, ""))
			}
			for _, u := range tc.remove {
				g.ordered(t, changeOf(changes.Removed, u, ""))
			}
			if got := g.look(); got != tc.want {
				t.Errorf("the members are %q, want %q", got, tc.want)
			}
		})
	}
}

// A deploy that was rolled back leaves nothing behind, so that the next one does not take
// its version for an old one.
func TestRolledBackUpstreamLeaves(t *testing.T) {
	t.Parallel()
	g := start(t, parse(t, poolAt(serveNames(t).addr, `"http://127.0.0.1:1"`)), Options{})
	g.ordered(t, changeOf(changes.Added, "http://nope.test:4", ""))
	pool := deployed{g.gate, "app"}
	for _, member := range []bool{true, false} {
		if err := pool.Stand("127.0.0.1:3", "http://127.0.0.1:3", member, false, "ci"); err != nil {
			t.Fatal(err)
		}
	}
	if got := pool.Members(); len(got) != 1 || got[0].Origin != "127.0.0.1:1" {
		t.Errorf("the next deploy finds %+v, want 127.0.0.1:1 alone", got)
	}
}

// A reload that removes an upstream takes effect although the name that stays is unknown. A
// new entry replaces the old ones once it is found.
func TestReloadRemovesUpstreams(t *testing.T) {
	t.Parallel()
	dns := serveNames(t).addr
	g := start(t, parse(t, poolAt(dns, `"http://127.0.0.1:1", "http://a.test:2", "http://nope.test:3"`)), Options{})
	for _, step := range []struct{ upstreams, want string }{
		{`"http://nope.test:3", "http://a.test:2"`, "127.0.0.5:2 1 ready"},
		{`"http://nope.test:3"`, ""},
		{`"http://nope.test:3", "http://b.test:4"`, "127.0.0.6:4 1 ready"},
		{`"http://typo.test:4"`, "127.0.0.6:4 1 ready"},
		{`"http://127.0.0.1:5", "http://typo.test:4"`, "127.0.0.1:5 1 ready"},
	} {
		g.reload(t, parse(t, poolAt(dns, step.upstreams)))
		if got := g.look(); got != step.want {
			t.Errorf("with %s the members are %q, want %q", step.upstreams, got, step.want)
		}
	}
}

// Upstreams whose names no longer resolve keep their addresses while others come and go,
// and when a reload changes the DNS settings or a new process takes over.
func TestAddedUpstreamsKeepTheirAddresses(t *testing.T) {
	t.Parallel()
	dns := serveNames(t)
	text := poolAt(dns.addr, `"http://127.0.0.1:1"`) + "\nstate: {file: " + filepath.Join(t.TempDir(), "state.json") + "}"
	c := parse(t, text)
	g := start(t, c, Options{})
	want := func(when, want string) {
		t.Helper()
		if got := g.look(); got != want {
			t.Errorf("%s: the members are %q, want %q", when, got, want)
		}
	}
	g.ordered(t, changeOf(changes.Added, "http://a.test:3", ""))
	dns.down.Store(true)
	g.ordered(t, changeOf(changes.Added, "http://b.test:4", ""))
	g.ordered(t, changeOf(changes.Added, "http://127.0.0.1:5", ""))
	want("two more were added", "127.0.0.1:1 1 ready, 127.0.0.5:3 1 ready, 127.0.0.1:5 1 ready")
	g.reload(t, parse(t, strings.Replace(text, "dns: {", "dns: {timeout: 3s, ", 1)))
	want("after a reload with other DNS settings", "127.0.0.1:1 1 ready, 127.0.0.5:3 1 ready, 127.0.0.1:5 1 ready")
	g.ordered(t, changeOf(changes.Removed, "127.0.0.1:5", ""))
	want("one was removed", "127.0.0.1:1 1 ready, 127.0.0.5:3 1 ready")

	bundle, err := g.gate.beginUpgrade()
	if err != nil {
		t.Fatal(err)
	}
	g.gate.endUpgrade(false)
	var left known
	if err := json.Unmarshal(bundle.Known, &left); err != nil {
		t.Fatal(err)
	}
	next, err := New(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	next.inherit(left, next.current.Load().pools)
	g = run(t, next)
	want("in the next process", "127.0.0.1:1 1 ready, 127.0.0.5:3 1 ready")
}
