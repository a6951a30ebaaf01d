package gate

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/lab/dnstest"
)

// patient is an application whose health page can be switched, with a count of its
// checks.
type patient struct {
	addr        string
	ill         atomic.Bool
	checks      atomic.Int64
	connections atomic.Int64
	server      *http.Server
}

func startPatient(t *testing.T, address string) *patient {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p := &patient{addr: l.Addr().String()}
	p.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/healthz" {
				p.checks.Add(1)
				if p.ill.Load() {
					w.WriteHeader(http.StatusInternalServerError)
				}
				return
			}
			io.WriteString(w, p.addr)
		}),
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				p.connections.Add(1)
			}
		},
	}
	go p.server.Serve(l)
	t.Cleanup(func() { p.server.Close() })
	return p
}

// verdicts returns the health of a pool's upstreams, in their order.
func (r *running) verdicts(pool string) string {
	var list []string
	for _, p := range r.gate.Pools() {
		if p.Name() == pool {
			for _, m := range p.Members() {
				list = append(list, m.Health().String())
			}
		}
	}
	return strings.Join(list, " ")
}

func (r *running) awaitVerdicts(t *testing.T, pool, want string) {
	t.Helper()
	r.await(t, pool+" "+want, func() bool { return r.verdicts(pool) == want })
}

func (r *running) await(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !met(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not reached; app %q, other %q", what, r.verdicts("app"), r.verdicts("other"))
		}
		<-time.After(time.Millisecond)
	}
}

func (r *running) change(t *testing.T, yaml string) {
	t.Helper()
	if _, err := r.gate.Reload(parse(t, yaml)); err != nil {
		t.Fatal(err)
	}
}

const checksFromForm = `
listeners: ["127.0.0.1:0"]
routes: [{match: {path: "/other/*"}, pool: other}, {pool: app}]
pools:
  app: {upstreams: [%s], health: {%s}, breaker: {enabled: false}, hold: {for: 0s}}
  other: {upstreams: [%s], health: {%s}, breaker: {enabled: false}, hold: {for: 0s}}
`

// TestChecksFrom: the verdicts of one pool's checks count in another one, which makes
// none.
func TestChecksFrom(t *testing.T) {
	t.Parallel()
	one, two := startPatient(t, "127.0.0.1:0"), startPatient(t, "127.0.0.2:0")
	list := fmt.Sprintf("http://%s, http://%s", one.addr, two.addr)
	const fast = "path: /healthz, interval: 20ms, fast_interval: 20ms"
	g := start(t, parse(t, fmt.Sprintf(checksFromForm, list, fast, list, "from: app")), Options{})
	g.awaitVerdicts(t, "other", "up up")
	for _, u := range g.pool("other").Upstreams() {
		if from := (control{g.gate}).LastCheck(u.Key()).From; from != "app" {
			t.Errorf("last check of %s: from %q, want app", u.Addr(), from)
		}
	}
	one.ill.Store(true)
	g.awaitVerdicts(t, "other", "down up")
	g.awaitVerdicts(t, "app", "down up")
	one.ill.Store(false)
	g.awaitVerdicts(t, "other", "up up")

	// An upstream that is off in one pool only is still checked for the other.
	off, err := control{g.gate}.Order(changes.Change{Subject: changes.Subject{Kind: changes.State, Pool: "app", Upstream: two.addr}, Value: []byte(`"off"`)})
	if err != nil {
		t.Fatalf("%+v: %v", off, err)
	}
	two.ill.Store(true)
	g.awaitVerdicts(t, "other", "up down")
	two.ill.Store(false)
	g.awaitVerdicts(t, "other", "up up")

	// A reload gives the pool checks of its own, and takes them away again.
	g.change(t, fmt.Sprintf(checksFromForm, list, fast, list, "type: none"))
	one.ill.Store(true)
	g.awaitVerdicts(t, "app", "down up")
	g.awaitVerdicts(t, "other", "up up")
	g.change(t, fmt.Sprintf(checksFromForm, list, fast, list, "from: app"))
	g.awaitVerdicts(t, "other", "down up")
	g.change(t, fmt.Sprintf(checksFromForm, list, "from: other", list, fast))
	g.awaitVerdicts(t, "app", "down up")
	one.ill.Store(false)
	g.awaitVerdicts(t, "app", "up up")
	g.awaitVerdicts(t, "other", "up up")
}

// TestChecksFromLateLender: while the lender's upstreams are being looked up, the borrower
// makes no check of its own, which would find an upstream healthy that the lender's check
// finds ill.
func TestChecksFromLateLender(t *testing.T) {
	t.Parallel()
	served := startPatient(t, "127.0.0.1:0")
	served.ill.Store(true)
	_, port, _ := net.SplitHostPort(served.addr)
	asked, early := false, atomic.Int64{}
	dns := dnstest.Serve(t, func(q dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.ResourceBody) {
		for end := time.Now().Add(50 * time.Millisecond); !asked && served.connections.Load() == 0 && time.Now().Before(end); {
			<-time.After(time.Millisecond)
		}
		asked = true
		early.Store(served.connections.Load())
		return addresses4([4]byte{127, 0, 0, 1})(q)
	})
	health := fmt.Sprintf("path: /healthz}, dns: {resolver: %q, family: ipv4", dns)
	g := start(t, parse(t, fmt.Sprintf(checksFromForm, "http://app.test:"+port, health, "http://"+served.addr, "from: app")), Options{})
	if n := early.Load(); n != 0 {
		t.Errorf("%d connections before the lender's upstreams were known, want none", n)
	}
	g.awaitVerdicts(t, "other", "down")
}

func (r *running) pool(name string) *balancer.Pool {
	for _, p := range r.gate.Pools() {
		if p.Name() == name {
			return p.Pool
		}
	}
	return nil
}

// TestChecksFromNoProbes: the borrower connects to nothing while its upstreams are up, and
// a request that it could not deliver makes the lender probe.
func TestChecksFromNoProbes(t *testing.T) {
	t.Parallel()
	checked, served := startPatient(t, "127.0.0.1:0"), startPatient(t, "127.0.0.1:0")
	g := start(t, parse(t, fmt.Sprintf(checksFromForm, "http://"+checked.addr, "path: /healthz, interval: 1h, fast_interval: 20ms", "http://"+served.addr, "from: app")), Options{})
	g.awaitVerdicts(t, "other", "up")
	before, connections := checked.checks.Load(), served.connections.Load()
	if connections > 2 {
		t.Errorf("%d connections to an upstream that another pool checks: want one or two, for its first verdict", connections)
	}
	served.server.Close()
	res, err := http.Get("http://" + g.addrs[0] + "/other/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	g.await(t, "a probe of the lender", func() bool { return checked.checks.Load() > before })
	g.await(t, "the closed port is noticed", func() bool { return g.verdicts("other") == "down" })
	again := startPatient(t, served.addr)
	for _, u := range g.pool("other").Upstreams() {
		u.Nudge()
	}
	g.awaitVerdicts(t, "other", "up")
	if n := again.checks.Load(); n != 0 {
		t.Errorf("%d checks of the borrower's upstream, want 0", n)
	}
}

// TestChecksFromMembers: upstreams come and go in either pool. The borrower only connects
// to those that the lender lacks.
func TestChecksFromMembers(t *testing.T) {
	t.Parallel()
	one, two := startPatient(t, "127.0.0.1:0"), startPatient(t, "127.0.0.2:0")
	two.ill.Store(true)
	const fast = "path: /healthz, interval: 20ms, fast_interval: 20ms"
	both := fmt.Sprintf("http://%s, http://%s", one.addr, two.addr)
	g := start(t, parse(t, fmt.Sprintf(checksFromForm, "http://"+one.addr, fast, both, "from: app")), Options{})
	g.awaitVerdicts(t, "other", "up up")
	if n := two.checks.Load(); n != 0 {
		t.Errorf("%d checks of an upstream that the lender lacks, want connections only", n)
	}
	g.change(t, fmt.Sprintf(checksFromForm, both, fast, both, "from: app"))
	g.awaitVerdicts(t, "other", "up down")
	g.change(t, fmt.Sprintf(checksFromForm, "http://"+one.addr, fast, both, "from: app"))
	g.awaitVerdicts(t, "other", "up up")
	g.change(t, fmt.Sprintf(checksFromForm, both, fast, "http://"+two.addr, "from: app"))
	g.awaitVerdicts(t, "other", "down")
}

// TestChecksFromAgents: what the lender's agents say counts in both pools.
func TestChecksFromAgents(t *testing.T) {
	t.Parallel()
	one, two := startPatient(t, "127.0.0.1:0"), startPatient(t, "127.0.0.2:0")
	a, port := agentScript(t, "127.0.0.1", 0)
	list := fmt.Sprintf("http://%s, {url: \"http://%s\", weight: 2}", one.addr, two.addr)
	check := fmt.Sprintf("type: none, agent: {port: %d, interval: 10ms}", port)
	if _, _, err := config.Parse("test.yaml", fmt.Appendf(nil, checksFromForm, list, check, list, "from: app"), nil); err == nil {
		t.Fatal("from a pool without a health check: no error")
	}
	check = strings.Replace(check, "type: none", "path: /healthz", 1)
	g := start(t, parse(t, fmt.Sprintf(checksFromForm, list, check, list, "from: app")), Options{})
	weights := func(want string) {
		t.Helper()
		var got string
		g.await(t, "weights "+want, func() bool {
			var list []string
			for _, m := range g.pool("other").Members() {
				s := fmt.Sprint(m.Weight)
				if !m.Available() {
					s = "out"
				}
				list = append(list, s)
			}
			got = strings.Join(list, " ")
			return got == want
		})
	}
	weights("1 2")
	a.say("50%")
	weights("1 4")
	a.say("drain")
	weights("out 2")
	a.say("ready 100%")
	weights("1 2")
	a.say("50%")
	weights("1 4")
	g.change(t, fmt.Sprintf(checksFromForm, list, "path: /healthz", list, "from: app"))
	weights("1 2")
}

// TestPair finds counterparts by address, or by host if only one is there.
func TestPair(t *testing.T) {
	t.Parallel()
	f := func(lender, borrower, want string) {
		t.Helper()
		var list []string
		for a := range strings.FieldsSeq(borrower) {
			list = append(list, "\"http://"+a+"\"")
		}
		var theirs []string
		for a := range strings.FieldsSeq(lender) {
			theirs = append(theirs, "\"http://"+a+"\"")
		}
		text := fmt.Sprintf(checksFromForm, strings.Join(theirs, ", "), "type: tcp", strings.Join(list, ", "), "from: app")
		g, err := New(parse(t, strings.ReplaceAll(text, "http://unix:", "unix:")), Options{})
		if err != nil {
			t.Fatal(err)
		}
		pools := g.current.Load().pools
		for name, own := range map[string]string{"app": lender, "other": borrower} {
			var specs []balancer.Spec
			for a := range strings.FieldsSeq(own) {
				specs = append(specs, balancer.Spec{Addr: a})
			}
			pools[name].live().Update(specs)
		}
		p := pair(pools["app"], pools["other"].live().Upstreams())
		var got []string
		for _, u := range pools["other"].live().Upstreams() {
			c := "-"
			if found := p.counterpart(u); found != nil {
				c = found.Addr()
			}
			got = append(got, c)
		}
		if want := strings.Fields(want); !slices.Equal(got, want) {
			t.Errorf("%s from %s: got %v, want %v", borrower, lender, got, want)
		}
	}
	f("10.0.0.1:80 10.0.0.2:80", "10.0.0.2:80 10.0.0.1:80", "10.0.0.2:80 10.0.0.1:80")
	f("10.0.0.1:80 10.0.0.2:80", "10.0.0.2:81", "10.0.0.2:80")
	f("10.0.0.1:80 10.0.0.1:81", "10.0.0.1:82", "-")
	f("10.0.0.1:80 10.0.0.1:81", "10.0.0.1:81 10.0.0.1:80", "10.0.0.1:81 10.0.0.1:80")
	f("10.0.0.1:80", "10.0.0.1:81 10.0.0.1:82", "10.0.0.1:80 10.0.0.1:80")
	f("10.0.0.1:80", "10.0.0.2:80", "-")
	f("[::1]:80", "[::1]:81 [::2]:80", "[::1]:80 -")
	f("unix:/run/a.sock unix:/run/b.sock", "unix:/run/a.sock unix:/run/c.sock", "unix:/run/a.sock -")
}

// TestChecksFromProbe: the look at all upstreams of a configuration probes none twice.
func TestChecksFromProbe(t *testing.T) {
	t.Parallel()
	one, two := startPatient(t, "127.0.0.1:0"), startPatient(t, "127.0.0.2:0")
	one.ill.Store(true)
	text := fmt.Sprintf(checksFromForm, "http://"+one.addr, "path: /healthz", fmt.Sprintf("http://%s, http://%s", one.addr, two.addr), "from: app")
	results, err := Probe(t.Context(), parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprint(r.Pool, " ", r.Upstream, " ", r.Kind, " ", r.Err == nil))
	}
	slices.Sort(got)
	want := []string{"app " + one.addr + " http false", "other " + one.addr + " from pool app false", "other " + two.addr + " tcp true"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := one.checks.Load(); n != 1 {
		t.Errorf("%d checks, want 1", n)
	}
}
