package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/split"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// asked is a request for an endpoint, with the expected status.
type asked struct {
	path, body string
	status     int
}

// examples has requests for every endpoint: each success and some refusals.
var examples = map[string][]asked{
	livePattern:               {{"/live", "", 200}},
	readyPattern:              {{"/ready", "", 200}},
	indexPattern:              {{"/", "", 200}},
	pagePattern:               {{"/page/overview.js", "", 200}, {"/page/none.js", "", 404}},
	"GET /v1/status":          {{"/v1/status", "", 200}},
	"GET /v1/pools":           {{"/v1/pools", "", 200}},
	"GET /v1/pools/{pool}":    {{"/v1/pools/app", "", 200}, {"/v1/pools/none", "", 404}},
	"GET /v1/overview":        {{"/v1/overview", "", 200}},
	"GET /v1/overview/{pool}": {{"/v1/overview/app", "", 200}, {"/v1/overview/app?from=x", "", 400}, {"/v1/overview/none", "", 404}},
	"GET /v1/timeline":        {{"/v1/timeline", "", 200}},
	"GET /v1/fleet":           {{"/v1/fleet", "", 404}},
	"GET /v1/wiring":          {{"/v1/wiring", "", 200}},
	"GET /v1/config":          {{"/v1/config", "", 200}},
	"GET /v1/requests":        {{"/v1/requests", "", 200}},
	"GET /v1/requests/{id}":   {{"/v1/requests/broken", "", 200}, {"/v1/requests/none", "", 404}},
	"GET /v1/events":          nil, // it never ends: see TestEvents
	"GET /v1/openapi.json":    {{"/v1/openapi.json", "", 200}},
	"POST /v1/upstreams":      {{"/v1/upstreams", `{"upstream":"10.0.0.1:80","state":"drain","weight":3}`, 200}, {"/v1/upstreams", `{"x":1}`, 400}, {"/v1/upstreams", `{"upstream":"b:1"}`, 404}},
	"GET /v1/mirrors":         {{"/v1/mirrors", "", 200}},
	"GET /v1/mirrors/{route}": {{"/v1/mirrors/shop", "", 200}, {"/v1/mirrors/none", "", 404}},
	"GET /v1/splits":          {{"/v1/splits", "", 200}},
	"GET /v1/splits/{route}":  {{"/v1/splits/shop", "", 200}, {"/v1/splits/none", "", 404}},
	"POST /v1/splits/{route}": {{"/v1/splits/shop", `{"weights":{"v2":10},"why":"more","for":"2h"}`, 200}, {"/v1/splits/shop", `{"reset":true}`, 200}, {"/v1/splits/shop", `{}`, 400},
		{"/v1/splits/shop", `{"reset":true,"for":"-1s"}`, 400}, {"/v1/splits/none", `{"weights":{"v2":10}}`, 404}, {"/v1/splits/shop", `{"weights":{"v3":1}}`, 400}, {"/v1/splits/shop", `{"weights":{"v2":99}}`, 409}},
	"GET /v1/changes":          {{"/v1/changes", "", 200}},
	"POST /v1/changes":         {{"/v1/changes", `{"kind":"added","upstream":"10.0.0.9:80","value":{"weight":2},"for":"2h"}`, 200}, {"/v1/changes", `{"kind":"pause"}`, 400}, {"/v1/changes", `{"kind":"removed","upstream":"b:1"}`, 404}},
	"DELETE /v1/changes/{id}":  {{"/v1/changes/none", "", 404}},
	"POST /v1/reload":          {{"/v1/reload", "", 200}},
	"POST /v1/drain":           {{"/v1/drain", "", 202}},
	"GET /debug/pprof/":        {{"/debug/pprof/heap", "", 200}},
	"GET /debug/pprof/profile": nil, // it takes its time
	"GET /debug/pprof/symbol":  {{"/debug/pprof/symbol", "", 200}},
	"GET /debug/pprof/trace":   nil, // it takes its time
	"GET /debug/flight":        {{"/debug/flight", "", 404}},
	"POST /v1/pauses": {
		{"/v1/pauses", `{"pool":"app","max":"30s","why":"migration"}`, 200}, {"/v1/pauses", `{"pool":"none"}`, 404}, {"/v1/pauses", `{"pool":"app","max":"2h"}`, 400},
		{"/v1/pauses", `{"pool":"app","max":"soon"}`, 400}, {"/v1/pauses", `{"pool":"app","max":"0s"}`, 400}, {"/v1/pauses", `{"pool":"app","for":"0s"}`, 400}, {"/v1/pauses", `{"pool":"app","max":30}`, 400}, {"/v1/pauses", `{"pool":"app","max_requests":-1}`, 400}, {"/v1/pauses", `{`, 400},
	},
	"DELETE /v1/pauses/{pool}": {{"/v1/pauses/app", "", 200}, {"/v1/pauses/none", "", 404}},
	"DELETE /v1/cache":         {{"/v1/cache?url=/a", "", 404}, {"/v1/cache?pool=none&all=true", "", 404}, {"/v1/cache", "", 400}},
	"POST /v1/maintenance": {
		{"/v1/maintenance", `{"pool":"app","for":"0s"}`, 400}, {"/v1/maintenance", `{"pool":"app","retry_after":"0s"}`, 400},
		{"/v1/maintenance", `{"pool":"app","page":"` + strings.Repeat("x", 200<<10) + `","allow":["10.0.0.1","10.0.0.0/8","X-Tester=secret","cookie:t=1"],"for":"2h"}`, 200},
		{"/v1/maintenance", `{"pool":"app","page":"` + strings.Repeat("x", MaxPage+1) + `"}`, 400}, {"/v1/maintenance", `{"pool":"app","allow":["secret"]}`, 400}, {"/v1/maintenance", `{"pool":"none"}`, 404},
	},
	"GET /v1/faults":                {{"/v1/faults", "", 200}},
	"GET /v1/faults/{route}":        {{"/v1/faults/shop", "", 200}, {"/v1/faults/none", "", 404}},
	"POST /v1/faults":               {{"/v1/faults", `{"route":"shop","delay":"1s","share":0.05,"headers":{"X-Fault":"*"},"for":"1h","why":"test"}`, 200}, {"/v1/faults", `{"route":"shop"}`, 400}, {"/v1/faults", `{"route":"none","abort":503}`, 404}, {"/v1/faults", `{"route":"shop","abort":599}`, 409}},
	"DELETE /v1/faults":             {{"/v1/faults?kind=delay&why=done", "", 200}, {"/v1/faults?kind=x", "", 400}},
	"DELETE /v1/faults/{route}":     {{"/v1/faults/shop", "", 200}, {"/v1/faults/none", "", 404}, {"/v1/faults/shop?kind=x", "", 400}},
	"GET /v1/config/history":        {{"/v1/config/history", "", 200}},
	"GET /v1/config/history/{n}":    {{"/v1/config/history/1", "", 200}, {"/v1/config/history/3", "", 404}, {"/v1/config/history/x", "", 404}},
	"GET /v1/config/diff":           {{"/v1/config/diff?a=1", "", 200}, {"/v1/config/diff?a=1&b=9", "", 404}},
	"POST /v1/config/rollback":      {{"/v1/config/rollback", `{"to":1}`, 200}, {"/v1/config/rollback", `{"to":9}`, 404}, {"/v1/config/rollback", `{"n":1}`, 400}},
	"DELETE /v1/maintenance/{pool}": {{"/v1/maintenance/app", "", 200}},
}

// TestOpenAPI: every endpoint is described, and its answers match the description.
func TestOpenAPI(t *testing.T) {
	_, s := newTest(t, Options{Journal: NewJournal("1"), Faults: fakeFaults{}, Wiring: func() Wiring {
		return Wiring{Listeners: []Listener{}, Routes: []Route{{Name: "shop"}}}
	}, Mirrors: func() []Mirror {
		return []Mirror{{Route: "shop", Pool: "v2", MirrorReport: proxy.NewMirrorWork(proxy.MirrorLimits{}).Report()}}
	}, Splits: fakeSplits{split.New(split.Options{Route: "shop", Pools: []string{"v1", "v2"}, Weights: []float64{95, 5}, Schedule: []split.Step{{After: time.Hour, Side: 1, Share: 1}}}, time.Now())}})
	s.opts.Requests.Observe(broken())
	s.opts.Tally.Observe(broken())
	doc := described(t, s)
	endpoints := s.endpoints()
	for i := range endpoints {
		e := &endpoints[i]
		calls, known := examples[e.Pattern]
		if !known {
			t.Errorf("%s has no example", e.Pattern)
		}
		for _, c := range calls {
			doc.check(t, s, e, c)
		}
	}
	if len(examples) != len(endpoints) {
		t.Errorf("%d examples, %d endpoints: %v", len(examples), len(endpoints), slices.Sorted(maps.Keys(examples)))
	}
}

// TestNotSplit: the answer distinguishes a route that does not exist from one without a
// split or a mirror, and names what exists.
func TestNotSplit(t *testing.T) {
	_, s := newTest(t, Options{Wiring: func() Wiring {
		return Wiring{Listeners: []Listener{}, Routes: []Route{{Name: "shop"}, {Name: "api"}}}
	}, Splits: fakeSplits{split.New(split.Options{Route: "shop", Pools: []string{"v1", "v2"}, Weights: []float64{95, 5}}, time.Now())}})
	for _, c := range [][4]string{
		{"GET", "/v1/splits/shp", "", `there is no route \"shp\": did you mean shop? The routes are shop, api`},
		{"POST", "/v1/splits/nope", `{"weights":{"v2":10}}`, `there is no route \"nope\". The routes are shop, api`},
		{"GET", "/v1/splits/api", "", `route \"api\" is not split. The only split route is shop`},
		{"GET", "/v1/pools/%2F", "", `there is no pool \"/\". The only pool is app`},
		{"GET", "/v1/overview/ap", "", `there is no pool \"ap\": did you mean app? The only pool is app`},
		{"DELETE", "/v1/faults/", "", `there is no route \"/\"`}, // and does not mean all routes
		{"GET", "/v1/mirrors/nope", "", `there is no route \"nope\". The routes are shop, api`},
		{"GET", "/v1/mirrors/api", "", `route \"api\" has no mirror`},
	} {
		if status, body := call(s, c[0], c[1], c[2]); status != 404 || !strings.Contains(body, c[3]) {
			t.Errorf("%s %s: %d %s, want %s", c[0], c[1], status, body, c[3])
		}
	}
}

// TestLargeBody: every endpoint with a body names its limit when a body exceeds it.
func TestLargeBody(t *testing.T) {
	_, s := newTest(t, Options{Faults: fakeFaults{}, Splits: fakeSplits{split.New(split.Options{Route: "shop", Pools: []string{"v1", "v2"}, Weights: []float64{95, 5}}, time.Now())}})
	doc := described(t, s)
	for _, e := range s.endpoints() {
		if e.Takes == nil {
			continue
		}
		method, path := e.split()
		path = placeholder.ReplaceAllString(path, "shop")
		limit := max(e.MaxBody, maxBody)
		body := `{"why":"` + strings.Repeat("x", int(limit)) + `"}`
		doc.check(t, s, &e, asked{path, body, 413})
		if _, text := call(s, method, path, body); !strings.Contains(text, fmt.Sprintf("the body is too large: the limit is %d bytes", limit)) {
			t.Errorf("%s: %s", e.Pattern, text)
		}
	}
}

// TestContradictions: an order with fields that exclude each other changes nothing, and the
// answer names them.
func TestContradictions(t *testing.T) {
	f, s := newTest(t, Options{Splits: fakeSplits{split.New(split.Options{Route: "shop", Pools: []string{"v1", "v2"}, Weights: []float64{95, 5}}, time.Now())}})
	for _, c := range [][3]string{
		{"/v1/splits/shop", `{"reset":true,"for":"2h"}`, "for 2h: a reset"},
		{"/v1/splits/shop", `{"reset":true,"weights":{"v2":10}}`, "either weights or reset"},
		{"/v1/upstreams", `{"upstream":"10.0.0.1:80","state":"ready","for":"2h"}`, "takes no duration: leave out the field for"},
		{"/v1/changes", `{"upstream":"10.0.0.1:80","kind":"state","value":"ready","for":"2h"}`, "takes no duration: leave out the field for"},
		{"/v1/changes", `{"upstream":"10.0.0.1:80","kind":"removed","value":3}`, "value 3: kind removed takes no value"},
		{"/v1/maintenance", `{"pool":"app","off":true,"page":"sorry"}`, "takes no page"},
		{"/v1/maintenance", `{"pool":"app","off":true,"retry_after":"5m"}`, "takes no retry_after"},
		{"/v1/maintenance", `{"pool":"app","off":true,"allow":["10.0.0.1"]}`, "takes no allow"},
		{"/v1/maintenance", `{"pool":"app","off":true,"content_type":"text/plain"}`, "takes no content_type"},
		{"/v1/maintenance", `{"pool":"app","content_type":"text/plain"}`, "needs page"},
	} {
		if status, body := call(s, "POST", c[0], c[1]); status != 400 || !strings.Contains(body, c[2]) {
			t.Errorf("POST %s %s: %d %s, want %s", c[0], c[1], status, body, c[2])
		}
	}
	if len(f.ordered) > 0 || f.closure != (Closure{}) {
		t.Errorf("orders %q, closure %+v", f.ordered, f.closure)
	}
	for path, body := range map[string]string{
		"/v1/upstreams": `{"upstream":"10.0.0.1:80","state":"ready","weight":3,"for":"2h"}`, "/v1/maintenance": `{"pool":"app","off":true,"for":"2h"}`,
	} {
		if status, text := call(s, "POST", path, body); status != 200 {
			t.Errorf("POST %s %s: %d %s", path, body, status, text)
		}
	}
}

// TestSays: a change is described without JSON.
func TestSays(t *testing.T) {
	for _, c := range []struct {
		subject     changes.Subject
		value, want string
	}{
		{changes.Subject{Kind: changes.Maintenance, Pool: "app"}, `{"off":true}`, "the maintenance of pool app in the configuration is off"},
		{changes.Subject{Kind: changes.Maintenance, Pool: "app"}, `{"retry_after":"5m0s"}`, "pool app is in maintenance"},
		{changes.Subject{Kind: changes.Split, Route: "shop"}, `{"v1":95,"v2":5}`, "route shop is split v1 95, v2 5"},
	} {
		if got := says(changes.Change{Subject: c.subject, Value: json.RawMessage(c.value)}); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestPath: a server gets every name as it is.
func TestPath(t *testing.T) {
	mux := http.NewServeMux()
	var got string
	mux.HandleFunc("GET /v1/pools/{pool}", func(_ http.ResponseWriter, r *http.Request) { got = r.PathValue("pool") })
	for _, name := range []string{"app", ".", "..", "...", "%2F", "a/b", "../a", "?a=b", "#", " ", "é", "%"} {
		got = ""
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", Path("/v1/pools", name), nil))
		if got != name {
			t.Errorf("%q: the server got %q from %s", name, got, Path("/v1/pools", name))
		}
	}
	if got := Path("/v1/deploys", ".", "back"); got != "/v1/deploys/%2E/back" {
		t.Errorf("got %s", got)
	}
}

// fakeFaults has one fault. It refuses an abort with 599.
type fakeFaults struct{}

func (fakeFaults) Faults() []Fault {
	return []Fault{{Route: "shop", Kind: "abort", FaultTerms: FaultTerms{Share: 1, Abort: 503}, By: "configuration"}}
}

func (fakeFaults) Inject(c changes.Change) (changes.Change, error) {
	if FaultOf(c).Abort == 599 {
		return c, changes.ErrFrozen
	}
	return c, nil
}

func (fakeFaults) Heal(route, kind, by, why string) ([]changes.Change, error) {
	return []changes.Change{{Subject: changes.Subject{Kind: changes.Fault, Route: "shop", Fault: "delay"}, Value: json.RawMessage(`{"share":1,"delay":"1s"}`), By: by}}, nil
}

// fakeSplits has one split. It refuses changes above 50 percent.
type fakeSplits struct{ *split.Split }

func (f fakeSplits) SplitReports() []split.Report { return []split.Report{f.Report(time.Now())} }

func (f fakeSplits) OrderSplit(route string, o split.Order, _ time.Duration) error {
	full, err := f.Full(o.Weights)
	switch {
	case route != "shop":
		return ErrNoSplit
	case err != nil:
		return err
	case full["v2"] > 50:
		return errors.New("nothing can be changed now")
	}
	return f.Apply(&split.Order{Weights: full, By: o.By, Why: o.Why, At: time.Now()})
}

func (f fakeSplits) ResetSplit(string, string, string) error { return f.Apply(nil) }

// TestOpenAPIIsStrict: the check notices differences from the description.
func TestOpenAPIIsStrict(t *testing.T) {
	_, s := newTest(t, Options{})
	doc := described(t, s)
	for text, want := range map[string]bool{
		`{"changes":["a"]}`: true, `{"changes":[1]}`: false, `{"changes":null}`: false, `{}`: false, `[]`: false, `{"changes":[],"more":1}`: false,
	} {
		if got := doc.invalid(t, "/components/schemas/Reloaded", text); (got == nil) != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// broken is a request with a failed attempt, whose client saw the error.
func broken() *proxy.Record {
	return &proxy.Record{
		ID: "broken", Start: time.Now(), Method: "GET", Path: "/", Pool: "app", Upstream: "10.0.0.1:80", Status: 502, Reason: reason.ConnectRefused,
		Attempts: []proxy.Attempt{{Upstream: "10.0.0.1:80", Reason: reason.ConnectRefused, Decision: reason.NobodyLeft}},
	}
}

// description is an OpenAPI document in which nothing may be that is not described.
type description struct{ object }

func described(t *testing.T, s *Server) description {
	t.Helper()
	code, body := call(s, "GET", "/v1/openapi.json", "")
	var doc object
	if err := json.Unmarshal([]byte(body), &doc); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	for _, schema := range doc["components"].(object)["schemas"].(object) {
		schema.(object)["additionalProperties"] = false
	}
	return description{doc}
}

// invalid returns the difference of a text from a schema, with its place in the
// document.
func (d description) invalid(t *testing.T, place, text string) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("api.json", d.object); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("api.json#" + place)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// find returns the value at a place, and the place of its description.
func (d description) find(keys ...string) (object, string) {
	at, place := d.object, ""
	for _, k := range keys {
		at, _ = at[k].(object)
		place += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(k)
		if ref, ok := at["$ref"].(string); ok {
			return d.find(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	return at, place
}

// check calls an endpoint and compares the answer with its description.
func (d description) check(t *testing.T, s http.Handler, e *Endpoint, c asked) {
	t.Helper()
	method, path := e.split()
	path = strings.TrimSuffix(path, "{$}")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, "http://127.0.0.1:9900"+c.path, strings.NewReader(c.body)))
	response, place := d.find("paths", path, strings.ToLower(method), "responses", fmt.Sprint(w.Code))
	if w.Code != c.status || response == nil {
		t.Errorf("%s %s: %d, want %d, described: %v; %s", method, c.path, w.Code, c.status, response != nil, w.Body)
		return
	}
	if media := response["content"].(object); media["application/json"] == nil {
		return
	}
	if err := d.invalid(t, place+"/content/application~1json/schema", w.Body.String()); err != nil {
		t.Errorf("%s %s: %v", method, c.path, err)
	}
}
