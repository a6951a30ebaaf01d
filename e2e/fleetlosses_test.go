package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// long skips a slow test, unless GOODGATE_LONG is set.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("GOODGATE_LONG") == "" {
		t.Skip("GOODGATE_LONG=1 runs this")
	}
}

func whole(f admin.Fleet) bool { return f.Connected && len(f.Members) == 2 }
func alone(f admin.Fleet) bool { return !f.Connected && len(f.Members) == 2 }

// text returns a member's answer on its admin address.
func (m *member) text(path string) string {
	m.t.Helper()
	res, err := http.Get("http://" + m.admin + path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return string(body)
}

// wantSeen checks that an operator sees the state of the store everywhere: in metrics,
// status, the dashboard's data, the situations and, during an outage, the doctor. why is
// a part of the error.
func (m *member) wantSeen(connected bool, why string) {
	m.t.Helper()
	gauge := map[bool]string{true: "goodgate_fleet_connected 1\n", false: "goodgate_fleet_connected 0\n"}[connected]
	wantIn(m.t, "the metrics", m.text("/metrics"), gauge)
	var overview admin.Overview
	var status admin.Status
	c := admin.Client{Address: m.admin}
	for path, to := range map[string]any{"/v1/overview": &overview, "/v1/status": &status} {
		if err := c.Get(m.t.Context(), path, to); err != nil {
			m.t.Fatal(err)
		}
	}
	told := func(of string, f *admin.Fleet, situations []string, texts string) {
		m.t.Helper()
		if f == nil || f.Connected != connected || connected == strings.Contains(strings.Join(situations, " "), "fleet_store_away") {
			m.t.Errorf("%s: got %+v and the troubles %v, connected is %v", of, f, situations, connected)
		}
		if !connected {
			wantIn(m.t, "the trouble of "+of, texts, why)
		}
	}
	var names []string
	var texts strings.Builder
	for _, tr := range status.Troubles {
		names = append(names, tr.Situation)
		texts.WriteString(tr.Text)
	}
	told("the status", status.Fleet, names, texts.String())
	names = nil
	texts.Reset()
	for _, g := range overview.Troubles {
		names = append(names, g.Situation)
		texts.WriteString(g.Text)
	}
	told("the dashboard's data", overview.Gate.Fleet, names, texts.String())
	out, _, _ := command(m.t, m.t.TempDir(), "status", "--fleet", "--admin", m.admin)
	want := map[bool]string{true: "connected since", false: "its store has not answered since"}[connected]
	wantIn(m.t, "status --fleet", out, want)
	if !connected {
		wantIn(m.t, "status --fleet", out, why)
	}
}

// aclOfDocs returns the line of the documentation that makes the store's user.
func aclOfDocs(t *testing.T, password string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "fleet.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "ACL SETUSER") {
			return strings.Replace(strings.TrimSpace(line), "PASSWORD", password, 1)
		}
	}
	t.Fatal("the page has no ACL SETUSER")
	return ""
}

// TestFleetSecured runs a fleet over TLS, with the user from the documentation, and
// checks the reported cause when the password is wrong, or changes.
func TestFleetSecured(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority of the store"), t.TempDir()
	cert, key := ca.Files(dir, "store", ca.Issue("127.0.0.1"))
	secure := freeAddress(t)
	_, port, _ := net.SplitHostPort(secure)
	store := fleettest.StartRedis(t, "tls-port "+port, "tls-cert-file "+cert, "tls-key-file "+key, "tls-ca-cert-file "+ca.File(dir), "tls-auth-clients no")
	do := doAt(t, store)
	do(aclOfDocs(t, "first-password"), "ACL SETUSER root on >root ~* &* +@all", "ACL SETUSER default off")
	at := func(password string) string {
		return fmt.Sprintf("addresses: [%q], username: goodgate, password: %s, tls: {ca: %q}", secure, password, ca.File(dir))
	}
	app := startApp(t, "go", "app")
	both := app.url() + ", " + startApp(t, "go", "other").url()
	a, b := startMember(t, at("first-password"), "a", both, 20), startMember(t, at("first-password"), "b", both, 20)
	a.until("two members", whole)
	b.until("two members", whole)
	if _, errors, code := command(t, t.TempDir(), "drain", "--yes", "--admin", a.admin, app.url()); code != 0 {
		t.Fatal(errors)
	}
	waitFor(t, "the other drains too", b.drained)
	a.wantSeen(true, "")
	for _, tc := range []struct{ store, want string }{
		{at("wrong-password"), "WRONGPASS"},
		{fmt.Sprintf("addresses: [%q], username: goodgate, password: first-password, tls: {}", secure), "certificate"},
		{fmt.Sprintf("addresses: [%q], username: goodgate, password: first-password", secure), ""},
	} {
		c := startMember(t, tc.store, "c", both, 20)
		c.until("alone", func(f admin.Fleet) bool { return !f.Connected && strings.Contains(f.Error, tc.want) })
		if got := ask(t, c.address, "GET", "/"); got.StatusCode != http.StatusOK {
			t.Errorf("with %s: got %d", tc.store, got.StatusCode)
		}
	}
	if os.Getenv("GOODGATE_LONG") == "" {
		return
	}
	load := startLoad(t, load{address: fixed(a.address), rate: 50, methods: safe, keepAlive: true})
	do("AUTH root root", "ACL SETUSER goodgate resetpass >second-password", "CLIENT KILL USER goodgate")
	a.until("alone, and told why", func(f admin.Fleet) bool { return alone(f) && strings.Contains(f.Error, "WRONGPASS") })
	a.wantSeen(false, "WRONGPASS")
	do("AUTH root root", "ACL SETUSER goodgate >first-password")
	t.Logf("connected again %v after the password was right again", a.until("connected", whole))
	b.until("connected", whole)
	a.wantSeen(true, "")
	wantNoneFailed(t, a.gate, load.finish())
}

// doAt returns a function that sends commands to a store, on one connection.
func doAt(t *testing.T, s *fleettest.Server) func(commands ...string) {
	return func(commands ...string) {
		t.Helper()
		if line, err := s.Do(commands...); err != nil || strings.HasPrefix(line, "-") {
			t.Fatalf("%v: got %s, %v", commands, line, err)
		}
	}
}

// cluster starts three primaries that share the slots.
func cluster(t *testing.T) (nodes []*fleettest.Server) {
	t.Helper()
	const slots = 16384
	for i := range 3 {
		s := fleettest.StartRedis(t, "cluster-enabled yes", "cluster-node-timeout 2000", fmt.Sprintf("cluster-config-file nodes-%d.conf", i), "cluster-port "+portOf(freeAddress(t)))
		nodes = append(nodes, s)
		doAt(t, s)(fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*slots/3, (i+1)*slots/3-1))
	}
	for _, s := range nodes[1:] {
		doAt(t, nodes[0])(fmt.Sprintf("CLUSTER MEET 127.0.0.1 %s %s", portOf(s.Address), s.Setting("cluster-port")))
	}
	for _, s := range nodes {
		waitFor(t, "the cluster is whole", func() bool {
			text, err := s.Ask("CLUSTER INFO")
			return err == nil && strings.Contains(text, "cluster_state:ok") && strings.Contains(text, "cluster_known_nodes:3")
		})
	}
	return nodes
}

// TestFleetCluster runs a fleet over a Redis Cluster of three primaries, with any of
// them as its address, and moves the slot of its keys meanwhile.
func TestFleetCluster(t *testing.T) {
	long(t)
	nodes := cluster(t)
	app := startApp(t, "go", "app")
	both := app.url() + ", " + startApp(t, "go", "other").url()
	a := startMember(t, fmt.Sprintf("addresses: [%q], cluster: true", nodes[0].Address), "a", both, 50)
	b := startMember(t, fmt.Sprintf("addresses: [%q, %q], cluster: true", nodes[2].Address, nodes[1].Address), "b", both, 50)
	a.until("two members", whole)
	b.until("two members", whole)
	if _, errors, code := command(t, t.TempDir(), "drain", "--yes", "--admin", a.admin, app.url()); code != 0 {
		t.Fatal(errors)
	}
	waitFor(t, "the other drains too", b.drained)
	slot, err := nodes[0].Do("CLUSTER KEYSLOT goodgate{goodgate}:members")
	if err != nil {
		t.Fatal(err)
	}
	slot = strings.TrimPrefix(slot, ":")
	load := startLoad(t, load{address: fixed(a.address), rate: 100, methods: safe, keepAlive: true})
	from, to := owner(t, nodes, slot), 0
	if from == 0 {
		to = 1
	}
	move(t, nodes, from, to, slot)
	for range 100 {
		if got := ask(t, a.address, "GET", "/limited").StatusCode; got != http.StatusOK && got != http.StatusTooManyRequests {
			t.Fatalf("got %d", got)
		}
	}
	a.until("two members at the other node", whole)
	b.until("two members at the other node", whole)
	nodes[to].Kill()
	a.until("alone", alone)
	a.wantSeen(false, "")
	nodes[to].Start()
	t.Logf("connected again %v after the node that has the keys was back", a.until("connected", whole))
	b.until("connected", whole)
	wantNoneFailed(t, a.gate, load.finish())
	c := startMember(t, fmt.Sprintf("addresses: [%q], cluster: true", nodes[from].Address), "c", both, 50)
	waitFor(t, "who comes late drains too", c.drained)
}

// owner returns which node has a slot.
func owner(t *testing.T, nodes []*fleettest.Server, slot string) int {
	t.Helper()
	for i, s := range nodes {
		if line, err := s.Do("CLUSTER COUNTKEYSINSLOT " + slot); err == nil && line != ":0" {
			return i
		}
	}
	t.Fatal("no node has the keys")
	return 0
}

// move gives a slot to another node, key by key, as redis-cli does.
func move(t *testing.T, nodes []*fleettest.Server, from, to int, slot string) {
	t.Helper()
	id := func(i int) string {
		text, err := nodes[i].Ask("CLUSTER MYID")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(text)
	}
	source, target := id(from), id(to)
	doAt(t, nodes[to])("CLUSTER SETSLOT " + slot + " IMPORTING " + source)
	doAt(t, nodes[from])("CLUSTER SETSLOT " + slot + " MIGRATING " + target)
	waitFor(t, "all keys are moved", func() bool {
		keys, err := nodes[from].Ask("CLUSTER GETKEYSINSLOT " + slot + " 100")
		if err != nil {
			t.Fatal(err)
		}
		for key := range strings.FieldsSeq(keys) {
			if strings.Contains(key, "{") {
				nodes[from].Do("MIGRATE 127.0.0.1 " + portOf(nodes[to].Address) + " " + key + " 0 1000")
			}
		}
		line, err := nodes[from].Do("CLUSTER COUNTKEYSINSLOT " + slot)
		return err == nil && line == ":0"
	})
	for _, i := range []int{to, from} {
		doAt(t, nodes[i])("CLUSTER SETSLOT " + slot + " NODE " + target)
	}
}

// link is a connection to the store that a test can cut like a network partition:
// requests get no answer.
type link struct {
	address string
	mu      sync.Mutex // protects cut
	cut     bool
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{address: listener.Addr().String()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			mu.Lock()
			open = append(open, c, up)
			mu.Unlock()
			wg.Go(func() { l.copy(up, c) })
			wg.Go(func() { l.copy(c, up) })
		}
	})
	return l
}

func (l *link) copy(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if l.isCut() {
			continue // it is lost on the way
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (l *link) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

func (l *link) setCut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
}

// TestFleetPartition cuts one instance off from the store, while the other stays
// connected: both continue to work, operators' changes on either side finally reach
// both, and the rate is bounded.
func TestFleetPartition(t *testing.T) {
	long(t)
	store := fleettest.StartRedis(t)
	link := newLink(t, store.Address)
	first, second := startApp(t, "go", "one"), startApp(t, "go", "two")
	const perSecond = 40
	both := first.url() + ", " + second.url() + ", " + startApp(t, "go", "three").url()
	a := startMember(t, fmt.Sprintf("addresses: [%q]", store.Address), "a", both, perSecond)
	b := startMember(t, fmt.Sprintf("addresses: [%q]", link.address), "b", both, perSecond)
	a.until("two members", whole)
	b.until("two members", whole)
	load := startLoad(t, load{address: fixed(b.address), rate: 100, methods: safe, keepAlive: true})
	link.setCut(true)
	t.Logf("the one that was cut off notices after %v", b.until("alone", alone))
	b.wantSeen(false, "")
	a.until("the other is gone", func(f admin.Fleet) bool { return f.Connected && len(f.Members) == 1 })
	a.wantSeen(true, "")
	order := func(m *member, args ...string) {
		t.Helper()
		if _, errors, code := command(t, t.TempDir(), append(args, "--admin", m.admin)...); code != 0 {
			t.Fatal(errors)
		}
	}
	order(a, "drain", "--yes", first.url())
	order(b, "off", "--yes", second.url())
	let, span := limited(t, []*member{a, b}, 2*time.Second)
	// One instance has the whole rate, because it is alone in the store. The other one
	// has its last known share.
	if most := 3*perSecond/2 + int(span.Seconds()*perSecond*1.5*1.2); let == 0 || let > most {
		t.Errorf("%d limited requests were let in in %v, want at most %d", let, span, most)
	}
	link.setCut(false)
	t.Logf("connected again after %v", b.until("connected", whole))
	for _, m := range []*member{a, b} {
		waitFor(t, "both orders are at both", func() bool { return m.operator(first) == "drain" && m.operator(second) == "off" })
	}
	b.wantSeen(true, "")
	order(b, "undrain", second.url())
	order(b, "undrain", first.url())
	waitFor(t, "both are taken back at both", func() bool { return a.operator(first)+a.operator(second) == "readyready" })
	wantNoneFailed(t, b.gate, load.finish())
}

// operator returns what an operator has ordered for an upstream.
func (m *member) operator(u *app) string {
	var s admin.Status
	c := admin.Client{Address: m.admin}
	if c.Get(m.t.Context(), "/v1/status", &s) != nil {
		return ""
	}
	for _, one := range s.Pools[0].Upstreams {
		if one.Address == u.address {
			return one.Operator
		}
	}
	return ""
}

// TestFleetFlushed deletes everything in the store while the fleet runs: no instance is
// alone, and operators' changes are restored.
func TestFleetFlushed(t *testing.T) {
	long(t)
	store := fleettest.StartRedis(t)
	app := startApp(t, "go", "app")
	both := app.url() + ", " + startApp(t, "go", "other").url()
	at := fmt.Sprintf("addresses: [%q]", store.Address)
	const perSecond = 40
	a, b := startMember(t, at, "a", both, perSecond), startMember(t, at, "b", both, perSecond)
	a.until("two members", whole)
	b.until("two members", whole)
	if _, errors, code := command(t, t.TempDir(), "drain", "--yes", "--admin", a.admin, app.url()); code != 0 {
		t.Fatal(errors)
	}
	waitFor(t, "the other drains too", b.drained)
	load := startLoad(t, load{address: fixed(a.address), rate: 100, methods: safe, keepAlive: true})
	doAt(t, store)("FLUSHALL")
	let, span := limited(t, []*member{a, b}, 2*time.Second)
	if most := 2*perSecond + int(span.Seconds()*perSecond*1.2); let == 0 || let > most { // one more burst for who forgot
		t.Errorf("%d limited requests were let in in %v, want at most %d", let, span, most)
	}
	a.wantSeen(true, "")
	a.until("two members again", whole)
	began := time.Now()
	waitFor(t, "the change is in the store again", func() bool {
		line, err := store.Do("HLEN goodgate{goodgate}:words")
		return err == nil && line == ":2" // and the keys of tickets
	})
	t.Logf("the words are there again after %v", time.Since(began))
	c := startMember(t, at, "c", both, perSecond)
	waitFor(t, "who comes late drains too", c.drained)
	wantNoneFailed(t, a.gate, load.finish())
}
