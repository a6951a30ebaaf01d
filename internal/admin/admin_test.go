package admin

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/proxy"
)

// fake is a goodgate of one pool.
type fake struct {
	purged   []string
	pool     *proxy.Pool
	draining bool
	fails    error
	ordered  []string
	book     *changes.Book
	lost     string
	check    Check
	crowds   []Crowd
	sources  []Source
	closure  Closure
	page     []byte
	weight   int
	percent  int
}

func newFake(t *testing.T) *fake {
	t.Helper()
	p, err := proxy.NewPool(balancer.Options{Name: "app", Policy: "first"}, proxy.PoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Update([]balancer.Spec{{Addr: "10.0.0.1:80", Name: "a.example"}, {Addr: "unix:/run/b.sock"}})
	t.Cleanup(func() { p.Update(nil) })
	return &fake{pool: p, book: changes.Open(changes.Options{})}
}

func (f *fake) Pools() []*proxy.Pool                       { return []*proxy.Pool{f.pool} }
func (f *fake) ConfigState() ConfigState                   { return ConfigState{Reloads: 3} }
func (f *fake) Config() []byte                             { return []byte("a: 1\n") }
func (f *fake) Draining() bool                             { return f.draining }
func (f *fake) LastCheck(balancer.Key) Check               { return f.check }
func (f *fake) Weight(balancer.Key) (int, int)             { return f.weight, f.percent }
func (f *fake) Certificates() map[string]time.Time         { return nil }
func (f *fake) OutOfFiles() (time.Time, uint64)            { return time.Time{}, 0 }
func (f *fake) Crowds() []Crowd                            { return f.crowds }
func (f *fake) Found(string) bool                          { return true }
func (f *fake) Sources(string) []Source                    { return f.sources }
func (f *fake) SourceError(string) (string, reason.Reason) { return f.lost, reason.None }
func (f *fake) Close(c changes.Change, page []byte) (changes.Change, error) {
	if c.Pool != "app" {
		return c, errors.New("no such pool")
	}
	c.ID = "abc"
	if c.Kind == changes.Pause {
		f.closure.Pause = &c
	} else {
		f.closure.Maintenance = &c
	}
	f.page = page
	return c, f.fails
}
func (f *fake) Reopen(s changes.Subject, _, _ string) (bool, error) {
	if s.Pool != "app" {
		return false, errors.New("no such pool")
	}
	was := f.closure
	f.closure = Closure{}
	return was != Closure{}, f.fails
}
func (f *fake) Purged(p Purge, done Purged, by, why string) {
	f.purged = append(f.purged, fmt.Sprint(p, done, by, why))
}

func (f *fake) ConfigHistory() []ConfigVersion {
	return []ConfigVersion{{N: 2, By: "SIGHUP", InUse: true}, {N: 1, By: "start"}}
}
func (f *fake) ConfigVersion(int) ([]byte, error)      { return []byte("a: 1\n"), f.fails }
func (f *fake) ConfigDiff(int, int) ([]string, error)  { return []string{"a: 1 -> 2"}, f.fails }
func (f *fake) Rollback(int, string) ([]string, error) { return []string{"a: 2 -> 1"}, f.fails }
func (f *fake) Closure(string) Closure                 { return f.closure }
func (f *fake) Reload(string) ([]string, error)        { return []string{"a: 1 -> 2"}, f.fails }
func (f *fake) Drain(string)                           { f.draining = true }
func (f *fake) Order(c changes.Change) (changes.Change, error) {
	f.ordered = append(f.ordered, strings.TrimSpace(fmt.Sprint(c.Kind, " ", c.Pool, "/", c.Upstream, " ", string(c.Value), " by ", c.By, " ", c.Why)))
	if f.fails != nil {
		return c, f.fails
	}
	setOperator(f.pool, c)
	if string(c.Value) == `"ready"` {
		return c, nil
	}
	return f.book.Put(c)
}

func setOperator(p *proxy.Pool, c changes.Change) {
	for _, u := range p.Upstreams() {
		if c.Kind == changes.State && u.Key() == (balancer.Key{Pool: c.Pool, Addr: c.Upstream}) {
			u.SetOperator(map[string]balancer.Operator{`"drain"`: balancer.Drain, `"off"`: balancer.Off}[string(c.Value)])
		}
	}
}

func newTest(t *testing.T, o Options) (*fake, *Server) {
	t.Helper()
	f := newFake(t)
	o.Control, o.Requests, o.Tally, o.Changes = f, new(Ring), new(Tally), f.book
	s := New(o)
	t.Cleanup(s.Close)
	return f, s
}

// call returns the status and the body.
func call(s http.Handler, method, path, body string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, "http://127.0.0.1:9900"+path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestGuard(t *testing.T) {
	_, open := newTest(t, Options{Hosts: []string{"ops.example"}})
	_, locked := newTest(t, Options{Tokens: []Token{{MainToken, "0123456789abcdef"}}})
	_, socket := newTest(t, Options{Local: true})
	for _, test := range []struct {
		name         string
		s            *Server
		method, path string
		headers      []string
		want         int
	}{
		{"an address", open, "GET", "/v1/status", nil, 200},
		{"IPv6", open, "GET", "/v1/status", []string{"Host", "[::1]:9900"}, 200},
		{"localhost", open, "GET", "/v1/status", []string{"Host", "localhost:9900"}, 200},
		{"a listed name", open, "GET", "/v1/status", []string{"Host", "OPS.example"}, 200},
		{"a foreign name with this address", open, "GET", "/v1/status", []string{"Host", "evil.example:9900"}, 421},
		{"any name on a socket", socket, "GET", "/v1/status", []string{"Host", "x"}, 200},
		{"another site's page", open, "POST", "/v1/reload", []string{"Origin", "http://evil.example"}, 403},
		{"another site's page, by its fetch metadata", open, "POST", "/v1/reload", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"the application's page, of another port", open, "POST", "/v1/upstreams", []string{"Origin", "http://127.0.0.1:3000"}, 403},
		{"the same, by its fetch metadata", open, "POST", "/v1/drain", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a page in a frame without an origin", open, "POST", "/v1/drain", []string{"Origin", "null"}, 403},
		{"a page whose name was pointed here", open, "POST", "/v1/drain", []string{"Host", "evil.example:9900", "Origin", "http://evil.example:9900"}, 421},
		{"a claim of the same origin", open, "POST", "/v1/drain", []string{"Host", "evil.example:9900", "Sec-Fetch-Site", "same-origin"}, 421},
		{"a form of another site, by GET", open, "GET", "/v1/drain?x=1", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403},
		{"the own page", open, "POST", "/v1/reload", []string{"Origin", "http://127.0.0.1:9900"}, 200},
		{"no token", locked, "GET", "/v1/status", nil, 401},
		{"a wrong token", locked, "GET", "/v1/status", []string{"Authorization", "Bearer 0123456789abcdeF"}, 401},
		{"the token", locked, "GET", "/v1/status", []string{"Authorization", "Bearer 0123456789abcdef"}, 200},
		{"no token for profiles", locked, "GET", "/debug/pprof/", nil, 401},
		{"no token for a load balancer", locked, "GET", "/ready", nil, 200},
		{"a change by GET", open, "GET", "/v1/reload", nil, 405},
		{"another site's image of a profile", open, "GET", "/debug/pprof/trace?seconds=1", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another port's", open, "GET", "/debug/pprof/profile?seconds=1", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"another site's window of a profile", open, "GET", "/debug/pprof/profile?seconds=1", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403},
		{"another site's stream", open, "GET", "/v1/events", []string{"Origin", "http://evil.example"}, 403},
		{"another site's stream, unnamed", open, "GET", "/v1/events", []string{"Origin", "null"}, 403},
		{"another site's read", open, "GET", "/v1/config", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another site's read, by its origin", open, "GET", "/v1/status", []string{"Origin", "http://127.0.0.1:3000"}, 403},
		{"another site's recording", open, "GET", "/debug/flight", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another site's HEAD", open, "HEAD", "/debug/pprof/heap", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another site's page with the token", locked, "GET", "/v1/status", []string{"Authorization", "Bearer 0123456789abcdef", "Sec-Fetch-Site", "cross-site"}, 403},
		{"a name without fetch metadata", open, "GET", "/debug/pprof/heap", []string{"Host", "ops.example"}, 403},
		{"a profile for a program", open, "GET", "/debug/pprof/heap", nil, 200},
		{"a profile for the operator's browser", open, "GET", "/debug/pprof/heap", []string{"Sec-Fetch-Site", "none"}, 200},
		{"the own page's read", open, "GET", "/v1/status", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"a link to the dashboard", open, "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"the dashboard without a token", locked, "GET", "/page/overview.js", nil, 200},
		{"a path out of the dashboard", locked, "GET", "/page/../v1/config", nil, 401},
		{"an encoded one", locked, "GET", "/page/%2e%2e/v1/config", nil, 404},
		{"one with an encoded slash", locked, "GET", "/page/..%2fv1/config", nil, 404},
		{"a doubled slash", locked, "GET", "//page/../v1/config", nil, 401},
		{"one through the index", locked, "GET", "/./v1/config", nil, 401},
		{"one through /live", locked, "GET", "/live/../v1/config", nil, 401},
		{"a page by another method", locked, "POST", "/page/overview.js", nil, 405},
	} {
		if got, body := call(test.s, test.method, test.path, "", test.headers...); got != test.want {
			t.Errorf("%s: got %d %s, want %d", test.name, got, body, test.want)
		}
	}
}

func TestOrders(t *testing.T) {
	f, s := newTest(t, Options{})
	for _, test := range []struct {
		body string
		want int
	}{
		{`{"upstream": "10.0.0.1:80", "state": "drain", "weight": 7}`, 200},
		{`{"upstream": "unix:/run/b.sock", "pool": "app", "state": "off"}`, 200},
		{`{"upstream": "10.0.0.9:80", "state": "drain"}`, 404},
		{`{"upstream": "10.0.0.1:80", "pool": "other", "state": "drain"}`, 404},
		{`{"state": "drain"}`, 404},
		{`{"upstream": "10.0.0.1:80", "state": "away"}`, 400},
		{`{"upstream": "10.0.0.1:80", "weight": 1001}`, 400},
		{`{"upstream": "10.0.0.1:80", "wieght": 1}`, 400},
	} {
		if got, body := call(s, "POST", "/v1/upstreams", test.body); got != test.want {
			t.Errorf("%.80s: got %d %s, want %d", test.body, got, body, test.want)
		}
	}
	members := f.pool.Members()
	if a, b := members[0].Operator(), members[1].Operator(); a != balancer.Drain || b != balancer.Off {
		t.Errorf("operator's word %v and %v, want drain and off", a, b)
	}
	want := []string{"weight app/10.0.0.1:80 7 by local", `state app/10.0.0.1:80 "drain" by local`, `state app/unix:/run/b.sock "off" by local`}
	if !slices.Equal(f.ordered, want) {
		t.Errorf("orders %q, want %q", f.ordered, want)
	}
	var status Status
	_, body := call(s, "GET", "/v1/status", "")
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		t.Fatal(err)
	}
	u := status.Pools[0].Upstreams
	if status.State != "serving" || status.Config.Reloads != 3 || status.Pools[0].Available != 0 ||
		u[0].Why != "drained by an operator" || u[1].Why != "switched off by an operator" {
		t.Errorf("status: %s", body)
	}
	call(s, "POST", "/v1/upstreams", `{"upstream": "a.example", "state": "ready"}`)
	if !members[0].Available() {
		t.Error("still unavailable after ready, by its name")
	}
}

// TestWeight: the weight is the one that an operator knows, with the percentage of the
// agent, and not the proportion that the balancer computes from both.
func TestWeight(t *testing.T) {
	f, s := newTest(t, Options{})
	for _, c := range []struct {
		weight, percent int
		want            string
	}{{0, 0, "1"}, {5, 100, "5"}, {5, 50, "50% of 5"}, {2, 256, "256% of 2"}} {
		f.weight, f.percent = c.weight, c.percent
		var p Pool
		_, body := call(s, "GET", "/v1/pools/app", "")
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		if got := p.Upstreams[0].Share(); got != c.want {
			t.Errorf("weight %d at %d %%: got %s, want %s", c.weight, c.percent, got, c.want)
		}
	}
}

func TestReloadAndDrain(t *testing.T) {
	f, s := newTest(t, Options{})
	if code, body := call(s, "POST", "/v1/reload", ""); code != 200 || !strings.Contains(body, "a: 1 -> 2") {
		t.Errorf("got %d %s", code, body)
	}
	f.fails = errors.New("line 3 is wrong")
	if code, body := call(s, "POST", "/v1/reload", ""); code != 422 || !strings.Contains(body, "line 3 is wrong") {
		t.Errorf("got %d %s", code, body)
	}
	if code, _ := call(s, "GET", "/ready", ""); code != 200 {
		t.Errorf("ready: got %d, want 200", code)
	}
	call(s, "POST", "/v1/drain", "")
	if code, _ := call(s, "GET", "/ready", ""); code != 503 {
		t.Errorf("ready while draining: got %d, want 503", code)
	}
	if code, _ := call(s, "GET", "/live", ""); code != 200 {
		t.Errorf("live while draining: got %d, want 200", code)
	}
}

func failed(id string, why reason.Reason) *proxy.Record {
	return &proxy.Record{ID: id, Reason: why, Status: why.Status()}
}

// TestRing checks that failures caused by clients, which anybody can provoke, do not
// push out those of upstreams.
func TestRing(t *testing.T) {
	var r Ring
	r.Observe(&proxy.Record{ID: "plain"})
	r.Observe(failed("first", reason.ConnectRefused))
	r.Observe(&proxy.Record{ID: "hidden", Status: 200, Absorbed: reason.ByRetry, Hidden: reason.ConnectRefused})
	for i := range 10 * ringFailures {
		r.Observe(failed(fmt.Sprint("scan ", i), reason.NoRoute))
	}
	if r.Find("first") == nil || r.Find("hidden") == nil || r.Find("plain") != nil || r.Find("scan 0") != nil {
		t.Error("remembers the wrong requests")
	}
	if got := len(r.others); got != ringOthers {
		t.Errorf("remembers %d others, want %d", got, ringOthers)
	}
	for i := range ringFailures {
		r.Observe(failed(fmt.Sprint(i), reason.NoUpstream))
	}
	if list := r.Latest(3); r.Find("first") != nil || len(list) != 3 || list[0].ID != fmt.Sprint(ringFailures-1) {
		t.Errorf("latest %v", list)
	}
}

func TestWhy(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := &proxy.Record{
		ID: "x", Start: at, Duration: 62 * time.Millisecond, Method: "POST", Host: "shop.example", Path: "/buy", Pool: "app",
		Status: 502, Reason: reason.ClosedBeforeResponse, SavedBy: "retry_safe on the route, if the application may run it twice",
		Attempts: []proxy.Attempt{
			{Upstream: "10.0.0.1:80", Took: 300 * time.Microsecond, Reason: reason.ConnectRefused, Err: errors.New("connection refused"), Decision: reason.Retried},
			{Upstream: "10.0.0.2:80", Took: 60 * time.Millisecond, Reused: true, Idle: 3 * time.Second, Sent: 120, Reason: reason.ClosedBeforeResponse, Decision: reason.NotSafe},
		},
	}
	want := `POST shop.example/buy, at 2026-01-02T03:04:05Z: the client got 502 (closed_before_response), "The server closed the connection without an answer", after 62 ms.
Attempt 1: 10.0.0.1:80, failed after 300 µs with connect_refused: connection refused; it had received nothing of the request. It was retried.
Attempt 2: 10.0.0.2:80, on a connection idle for 3 s, failed after 60 ms with closed_before_response. It was not retried: it may have been executed, and its method must not run twice.
The cause: The upstream closes idle connections just as goodgate reuses them. 10.0.0.2:80 closed idle connections at the moment goodgate sent a request on them: its keep-alive timeout is shorter than the pool's.
Next step: Set the pool's timeouts.keepalive below the application's keep-alive timeout, or raise the application's.
What would have saved it: retry_safe on the route, if the application may run it twice.`
	if got := strings.Join(explain(r), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestWhyOfAHedge: a request that another upstream answered first has not failed.
func TestWhyOfAHedge(t *testing.T) {
	r := &proxy.Record{
		Start: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Duration: 12 * time.Millisecond, Method: "GET", Host: "shop.example", Path: "/", Pool: "app", Status: 200, Absorbed: reason.ByHedge,
		Attempts: []proxy.Attempt{
			{Upstream: "127.0.0.1:3903", Took: 10200 * time.Microsecond, Sent: 90, Decision: reason.LostRace},
			{Upstream: "127.0.0.1:3901", After: 10 * time.Millisecond, Took: 2 * time.Millisecond, Status: 200, Because: "late", Decision: reason.Answered},
		},
	}
	want := `GET shop.example/, at 2026-01-02T03:04:05Z: the client got 200 after 12 ms.
Attempt 1: 127.0.0.1:3903: no answer after 10.2 ms; abandoned because another upstream had answered. The other one was asked because it was late.
Attempt 2: 127.0.0.1:3901, answered 200 after 2 ms. This answer went to the client.
Nothing failed: another upstream answered first, so the client got its answer sooner.`
	if got := strings.Join(explain(r), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var ring Ring
	r.ID = "x"
	ring.Observe(r)
	if q := ring.Find("x"); q == nil || !q.MadeFaster || q.AbsorbedBy != "" || len(ring.Latest(9)) != 0 {
		t.Errorf("got %+v; it is to be found, and not among what failed", q)
	}
}

// TestEveryDecisionHasWords fails when a new decision has none.
func TestEveryDecisionHasWords(t *testing.T) {
	for d := range reason.Decision(len(decisions)) {
		if decisions[d] == "" {
			t.Errorf("no words for %v", d)
		}
	}
	func() {
		defer func() { recover() }() // the name of a decision beyond the last is out of range
		t.Errorf("the decision %v has no words", reason.Decision(len(decisions)).String())
	}()
}

// TestManyAlike: a flood of one kind hides no other, in memory or in the status.
func TestManyAlike(t *testing.T) {
	var r Ring
	start := time.Unix(at, 0)
	r.Observe(&proxy.Record{ID: "rare", Start: start, Pool: "app", Reason: reason.ConnectRefused})
	for i := range 1000 {
		r.Observe(&proxy.Record{Start: start.Add(time.Duration(i)), Pool: "app", Reason: reason.Overloaded})
	}
	list := r.Varied(20)
	if len(list) != alikeShown+1 || list[alikeShown].ID != "rare" || list[0].Reason != "overloaded" {
		t.Errorf("got %d, the last %+v", len(list), list[len(list)-1])
	}
}

func TestEvents(t *testing.T) {
	f := newFake(t)
	s := New(Options{Control: f, Requests: new(Ring), Tally: new(Tally)})
	server := httptest.NewServer(s)
	defer server.Close()
	var streams []*http.Response
	for range maxSubscribers {
		res, err := http.Get(server.URL + "/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		streams = append(streams, res)
	}
	res, err := http.Get(server.URL + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 503 {
		t.Errorf("one stream too many: got %d, want 503", res.StatusCode)
	}
	r := bufio.NewReader(streams[0].Body)
	for range 2 { // at once, and a second later
		event, _ := r.ReadString('\n')
		data, err := r.ReadString('\n')
		r.ReadString('\n')
		if event != "event: status\n" || !strings.HasPrefix(data, `data: {"version"`) {
			t.Fatalf("got %q %q, %v", event, data, err)
		}
	}
	s.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("the stream did not end well: %v", err)
	}
}

func TestClient(t *testing.T) {
	_, s := newTest(t, Options{Tokens: []Token{{MainToken, "0123456789abcdef"}}})
	server := httptest.NewServer(s)
	defer server.Close()
	c := Client{Address: strings.TrimPrefix(server.URL, "http://")}
	var status Status
	if err := c.Get(t.Context(), "/v1/status", &status); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("without the token: %v", err)
	}
	c.Token = "0123456789abcdef"
	if err := c.Get(t.Context(), "/v1/status", &status); err != nil || len(status.Pools) != 1 {
		t.Errorf("got %+v, %v", status, err)
	}
	if err := c.Get(t.Context(), "/v1/requests/unknown", &status); err == nil || !strings.Contains(err.Error(), "no record") {
		t.Errorf("an unknown request: %v", err)
	}
}
