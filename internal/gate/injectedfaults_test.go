package gate

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// api sends a request to the operator's API of a gate.
func (r *running) api(t *testing.T, method, path, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.gate.AdminAddress()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// inject injects a fault, and returns it.
func (r *running) inject(t *testing.T, order string) (f admin.Fault) {
	t.Helper()
	status, text := r.api(t, "POST", "/v1/faults", order)
	if err := json.Unmarshal([]byte(text), &f); err != nil || status != 200 {
		t.Fatalf("%s: got %d %s", order, status, text)
	}
	return f
}

func (r *running) faults(t *testing.T) string {
	t.Helper()
	var list []admin.Fault
	_, text := r.api(t, "GET", "/v1/faults", "")
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range list {
		all = append(all, list[i].Route+" "+list[i].By+" "+list[i].Says())
	}
	return strings.Join(all, "; ")
}

const faultyYAML = `
listeners: ["127.0.0.1:0"]
admin: "localhost:0"
shutdown: {lame_duck: 0s, grace: 0s}
state: {file: %q}
routes:
  - {name: shop, match: {path: /shop}, pool: app}
  - {name: fixed, match: {path: /fixed}, respond: {body: fixed}}
  - {name: rest, pool: app, faults: [{throttle: 1MiB, headers: {X-Fault: sesame}}]}
pools: {app: {upstreams: [%q], breaker: {consecutive: 1}}}
`

// TestInjectedFaults: a fault by the API takes effect at once, is replaced by the next one
// of its kind, shows everywhere, and ends by the API.
func TestInjectedFaults(t *testing.T) {
	var log bytes.Buffer
	yaml := fmt.Sprintf(faultyYAML, filepath.Join(t.TempDir(), "state.json"), app(t, "hello"))
	r := start(t, parse(t, yaml), Options{Metrics: metrics.New(metrics.Build{}), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ask := func(when, path, want string) {
		t.Helper()
		if got := get(t, "http://"+r.addrs[0]+path); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s: got %q, want %q", when, path, got, want)
		}
	}
	ask("before", "/shop", "200 hello")
	f := r.inject(t, `{"route":"shop","abort":418,"why":"test of the client"}`)
	if left := time.Until(f.Until); f.ID == "" || f.Kind != "abort" || f.Share != 1 || left > 10*time.Minute || left < 9*time.Minute {
		t.Errorf("got %+v", f)
	}
	ask("injected", "/shop", "418")
	ask("another route", "/", "200 hello")
	r.inject(t, `{"route":"shop","abort":503}`)
	r.inject(t, `{"route":"fixed","abort":404,"headers":{"x-fault":"yes"},"for":"1h"}`)
	ask("replaced", "/shop", "503")
	ask("without the header", "/fixed", "200 fixed")
	const faults = "rest configuration throttle to 1048576 bytes a second for all requests with X-Fault; shop local abort with 503 for all requests; fixed local abort with 404 for all requests with X-Fault"
	if got := r.faults(t); got != faults {
		t.Errorf("got %s", got)
	}
	r.reload(t, parse(t, strings.Replace(yaml, "consecutive: 1", "consecutive: 2", 1)))
	ask("after a reload", "/shop", "503")
	for _, show := range []struct{ path, want string }{
		{"/v1/status", "Injected by operators: abort with 503 for all requests on shop until"},
		{"/v1/status", `"faults_on_purpose"`},
		{"/v1/overview", "route shop has an injected fault: abort with 503 for all requests"},
		{"/v1/changes", `"fault": "abort"`},
		{"/v1/timeline", "route shop: abort with 503 for all requests"},
		{"/metrics", `goodgate_faults_injected_total{kind="abort",route="shop"} 3`},
	} {
		if _, text := r.api(t, "GET", show.path, ""); !strings.Contains(text, show.want) || strings.Contains(text, "sesame") {
			t.Errorf("%s does not show %q:\n%s", show.path, show.want, text)
		}
	}
	status, text := r.api(t, "DELETE", "/v1/faults/shop?kind=delay", "")
	if ask("another kind was ended", "/shop", "503"); status != 200 || !strings.Contains(text, `"ended": []`) {
		t.Errorf("got %d %s", status, text)
	}
	if status, text = r.api(t, "DELETE", "/v1/faults/shop?why=done", ""); status != 200 || !strings.Contains(text, `"abort": 503`) {
		t.Errorf("got %d %s", status, text)
	}
	ask("ended", "/shop", "200 hello")
	f = r.inject(t, `{"route":"rest","abort":500,"share":0.000001}`)
	if status, text = r.api(t, "DELETE", "/v1/changes/"+f.ID, ""); status != 200 {
		t.Errorf("got %d %s", status, text)
	}
	if status, text = r.api(t, "DELETE", "/v1/faults", ""); status != 200 || !strings.Contains(text, `"route": "fixed"`) || !strings.Contains(text, `"by": "configuration"`) {
		t.Errorf("got %d %s", status, text)
	}
	if got := r.faults(t); !strings.HasPrefix(got, "rest configuration") || strings.Contains(got, ";") {
		t.Errorf("left: %s", got)
	}
	for _, want := range []string{"kind=fault route=shop fault=abort", "why=\"test of the client\"", "why=done"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q", want)
		}
	}
}

// TestInjectedFaultsEnd: a fault ends by itself, with its route, and with the process.
func TestInjectedFaultsEnd(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.json")
	yaml := fmt.Sprintf(faultyYAML, state, app(t, "hello"))
	t.Run("in one process", func(t *testing.T) {
		r := start(t, parse(t, yaml), Options{})
		r.inject(t, `{"route":"shop","abort":503,"for":"1s"}`)
		eventually(t, "the end of a fault", func() bool { return get(t, "http://"+r.addrs[0]+"/shop") == "200 hello /shop" }, func() string { return r.faults(t) })
		eventually(t, "the end of the change", func() bool { return len(r.gate.changes.All()) == 0 }, func() string { return fmt.Sprint(r.gate.changes.All()) })
		r.inject(t, `{"route":"shop","abort":503}`)
		other := strings.Replace(yaml, "shop", "other", 1)
		r.reload(t, parse(t, other))
		r.reload(t, parse(t, yaml))
		if got := get(t, "http://"+r.addrs[0]+"/shop"); got != "200 hello /shop" {
			t.Errorf("after a configuration without its route: got %s", got)
		}
		r.inject(t, `{"route":"shop","abort":503}`)
		r.ordered(t, changes.Change{Subject: changes.Subject{Kind: changes.Weight, Pool: "app", Upstream: r.gate.Pools()[0].Members()[0].Addr()}, Value: json.RawMessage("5")})
	})
	if text, err := os.ReadFile(state); err != nil || strings.Contains(string(text), "fault") || !strings.Contains(string(text), "weight") {
		t.Errorf("the state file has %s, %v", text, err)
	}
	r := start(t, parse(t, yaml), Options{})
	if got := get(t, "http://"+r.addrs[0]+"/shop"); got != "200 hello /shop" || !strings.HasPrefix(r.faults(t), "rest configuration") {
		t.Errorf("after a restart: got %s, %s", got, r.faults(t))
	}
}

// TestFaultOrdersRefused: an order out of bounds changes nothing, and the answer names the
// bound.
func TestFaultOrdersRefused(t *testing.T) {
	r := start(t, parse(t, fmt.Sprintf(faultyYAML, filepath.Join(t.TempDir(), "state.json"), app(t, "hello"))), Options{})
	for _, bad := range []struct {
		method, path, order, says string
		status                    int
	}{
		{"POST", "", `{}`, "exactly one of delay, abort, cut and throttle", 400},
		{"POST", "", `{"route":"rest"}`, "exactly one of", 400},
		{"POST", "", `{"route":"rest","abort":503,"delay":"1s"}`, "exactly one of", 400},
		{"POST", "", `{"route":"fixd","abort":503}`, "did you mean fixed?", 404},
		{"POST", "", `{"route":"rest","abort":503,"for":"25h"}`, "for 25h: it must be from 1s to 24h", 400},
		{"POST", "", `{"route":"rest","abort":503,"for":"0s"}`, "leave it out for the default", 400},
		{"POST", "", `{"route":"rest","abort":503,"for":"-1h"}`, "for -1h: ", 400},
		{"POST", "", `{"route":"rest","abort":200}`, "abort 200", 400},
		{"POST", "", `{"route":"rest","abort":600}`, "abort 600", 400},
		{"POST", "", `{"route":"rest","delay":"61s"}`, "delay 1m1s", 400},
		{"POST", "", `{"route":"rest","delay":"-1s"}`, "delay -1s", 400},
		{"POST", "", `{"route":"rest","cut":-1}`, "cut -1", 400},
		{"POST", "", `{"route":"rest","throttle":1073741825}`, "throttle 1073741825", 400},
		{"POST", "", `{"route":"rest","abort":503,"share":0}`, "share 0", 400},
		{"POST", "", `{"route":"rest","abort":503,"share":5}`, "share 5", 400},
		{"POST", "", `{"route":"rest","abort":503,"headers":{"X Fault":"a"}}`, "is not a header name", 400},
		{"POST", "", `{"route":"rest","abort":503,"headers":{"X-Fault":"a","x-fault":"b"}}`, "X-Fault is listed twice", 400},
		{"POST", "", `{"route":"rest","abort":503,"headers":{"Authorization":"Bearer x"}}`, "may only have the value *", 400},
		{"POST", "", `{"route":"rest","abort":503,"headers":{"X-Fault":"` + strings.Repeat("x", 5000) + `"}}`, "the limit is 4096", 400},
		{"POST", "", `{"route":"rest","abort":503,"until":"2030-01-01T00:00:00Z"}`, "unknown field", 400},
		{"DELETE", "/shopp", "", "did you mean shop?", 404},
		{"DELETE", "/rest?kind=abrot", "", "delay, abort, cut, throttle", 400},
	} {
		if status, says := r.api(t, bad.method, "/v1/faults"+bad.path, bad.order); status != bad.status || !strings.Contains(says, bad.says) {
			t.Errorf("%s %s %s: got %d %s, want %d %s", bad.method, bad.path, bad.order[:min(len(bad.order), 100)], status, says[:min(len(says), 200)], bad.status, bad.says)
		}
	}
	if left := r.gate.changes.All(); len(left) != 0 {
		t.Errorf("got %v", left)
	}
}

// TestFaultsOverEveryProtocol: clients of HTTP/1.1, HTTP/2 and HTTP/3 meet each fault, over
// both relays.
func TestFaultsOverEveryProtocol(t *testing.T) {
	const size = 3000
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", size)) }))
	upstream.Config.Protocols = new(http.Protocols)
	upstream.Config.Protocols.SetHTTP1(true)
	upstream.Config.Protocols.SetUnencryptedHTTP2(true)
	upstream.Start()
	t.Cleanup(upstream.Close)
	ca := certtest.NewAuthority(t, "authority")
	cert, key := ca.Files(t.TempDir(), "site", ca.Issue("127.0.0.1"))
	records := make(chan proxy.Record, 100)
	r := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", http3: {enabled: true}, tls: {certificates: [{cert: %q, key: %q}]}}]
admin: "localhost:0"
shutdown: {lame_duck: 0s, grace: 0s}
routes:
  - {name: h1, match: {path: /h1}, pool: h1}
  - {name: h2, match: {path: /h2}, pool: h2}
pools:
  h1: {upstreams: [%q], breaker: {consecutive: 1}}
  h2: {upstreams: [%q], breaker: {consecutive: 1}, protocol: h2c}
`, cert, key, upstream.URL, upstream.URL)), Options{Observe: []func(*proxy.Record){func(r *proxy.Record) { records <- *r }}})
	trusting := &tls.Config{InsecureSkipVerify: true}
	quick := &http3.Transport{TLSClientConfig: trusting}
	defer quick.Close()
	one := &http.Transport{TLSClientConfig: trusting, Protocols: new(http.Protocols)}
	one.Protocols.SetHTTP1(true)
	two := &http.Transport{TLSClientConfig: trusting, Protocols: new(http.Protocols)}
	two.Protocols.SetHTTP2(true)
	for _, front := range []struct {
		name string
		via  http.RoundTripper
	}{{"HTTP/1.1", one}, {"HTTP/2.0", two}, {"HTTP/3.0", quick}} {
		for _, route := range []string{"h1", "h2"} {
			for _, c := range []struct {
				kind, terms string
				status      int
				body        int // bytes; -1 = any
				broken      bool
				least       time.Duration
				reason      reason.Reason
			}{
				{"delay", `"delay":"30ms"`, 200, size, false, 30 * time.Millisecond, reason.None},
				{"abort", `"abort":429`, 429, -1, false, 0, reason.FaultInjected},
				{"cut", `"cut":1000`, 200, 1000, true, 0, reason.FaultInjected},
				{"throttle", `"throttle":30000`, 200, size, false, 40 * time.Millisecond, reason.None},
			} {
				name := front.name + ", " + route + ", " + c.kind
				r.inject(t, fmt.Sprintf(`{"route":%q,%s,"headers":{"X-Fault":"*"}}`, route, c.terms))
				request, _ := http.NewRequestWithContext(t.Context(), "GET", "https://"+r.addrs[0]+"/"+route, nil)
				request.Header.Set("X-Fault", c.kind)
				began := time.Now()
				res, err := front.via.RoundTrip(request)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				took, rec := time.Since(began), <-records
				lossy := c.broken && front.via == quick && len(body) < c.body // the end of a stream may overtake its bytes
				if res.Proto != front.name || res.StatusCode != c.status || c.body >= 0 && len(body) != c.body && !lossy || (err != nil) != c.broken || took < c.least {
					t.Errorf("%s: got %s %d, %d bytes, %v after %v", name, res.Proto, res.StatusCode, len(body), err, took)
				}
				if rec.Faults.String() != c.kind || rec.Reason != c.reason {
					t.Errorf("%s: recorded %s, %v", name, rec.Faults, rec.Reason)
				}
				r.api(t, "DELETE", "/v1/faults", "")
			}
		}
	}
	for _, p := range r.gate.Pools() {
		if u := p.Members()[0]; !u.Available() {
			t.Errorf("an upstream of pool %s is blamed", p.Name())
		}
	}
}
