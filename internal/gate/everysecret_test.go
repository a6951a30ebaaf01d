package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/lab/logtest"
	"github.com/goodgate/goodgate/internal/metrics"
)

// everySecret has a secret, in place of @, in every key that the schema marks as
// writeOnly. TestEverySecret reports missing ones.
const everySecret = `
listeners:
  - "127.0.0.1:0"
  - address: "127.0.0.1:0"
    tls: {acme: {hosts: a.example.com, accept_terms: true, cache: %[1]q, directory: "https://127.0.0.1:1/@?key=@", eab: {kid: "@", hmac_key: "@"}, dns: {rfc2136: {server: 127.0.0.1, key_name: k, key_secret: "@"}}}}
  - address: "127.0.0.1:0"
    tls: {acme: {hosts: b.example.com, accept_terms: true, cache: %[1]q, directory: "https://127.0.0.1:1/@?key=@", dns: {exec: {program: /bin/false, args: ["@"], env: {SECRET: "@"}}}}}
admin: {address: "unix:%[2]s", token: "@"}
shutdown: {lame_duck: 0s, grace: 0s}
tracing: {endpoint: "%[3]s/@", sample: 100%%, headers: {X-Honeycomb-Team: "@", Authorization: "@", X-Scope-OrgID: "@", X-Key: "@", X-Team: "@", X-Org: "@"}}
log: {otlp: {headers: {X-Key: "@", Authorization: "@"}}, outputs: [{output: "otlp+http://127.0.0.1:1", records: requests, otlp: {headers: {X-Team: "@", Authorization: "@"}}}]}
metrics: {endpoint: "%[3]s/@?key=@", interval: 1s, headers: {X-Honeycomb-Team: "@", Authorization: "@", X-Key: "@"}}
events: {webhook: {url: "%[3]s/hook/@?key=@", secret: "@"}}
fleet: {addresses: "127.0.0.1:1", secret: "@", password: "@", sentinel: {master: m, password: "@"}}
routes:
  - name: app
    match: {path: /app, headers: {X-Origin-Verify: "@"}, query: {key: "@"}, cookies: {session: "@"}}
    request_headers: {set: {X-Auth-Key: "@", X-Gate-Pass: "@", Authorization: "@", X-Api-Key: "@", X-Shared: "@"}, add: {X-Credential: "@", Cookie: "@"}}
    rewrite_path: {regexp: "^/app", to: "/app?key=@"}
    request_query: {set: {token: "@"}, add: {more: "@"}}
    response_rules: [{set: {X-Rule: "@"}, add: {X-Rules: "@"}, replace: [{header: X-More, regexp: a, to: "@"}]}]
    response_headers: {set: {X-Signature: "@", Set-Cookie: "@"}, add: {X-More: "@"}}
    error_headers: {set: {X-Error: "@"}, add: {X-Other: "@"}}
    pool: app
    fallback: {respond: {status: 503, body: "@", headers: {X-Fallback: "@"}}}
  - {match: {path: /redirect}, redirect: {to: "https://u:@@a.example.com/?key=@"}}
  - {match: {path: /fixed}, respond: {body: "@", headers: {X-Fixed: "@"}}}
  - {match: {path: /begun, header_prefix: {X-Origin: "@"}, query_prefix: {key: "@"}, cookie_prefix: {session: "@"}}, respond: {status: 204}}
  - {match: {path: /gone}, pool: gone}
  - {match: {path: /asked}, pool: app, access: {forward: {pool: gone, path: "/auth?key=@", request_headers: {set: {X-Auth-Key: "@", Authorization: "@"}, add: {X-Credential: "@"}}}}}
  - {match: {path: /askedbyurl}, pool: app, access: {forward: {url: "http://127.0.0.1:1/auth?key=@", timeout: 100ms}}}
  - {match: {path: /found}, pool: found}
pools:
  app:
    upstreams: [%[4]q]
    health: {path: "/health?key=@", interval: 20ms, fast_interval: 20ms, headers: {X-Check: "@", Authorization: "@", X-Probe-Id: "@"}, expect: {body: "@", headers: {Authorization: "@"}, json: {a: "@"}}}
    sticky: {cookie: app, secret: "@"}
    policy: sticky
  gone:
    upstreams: ["http://127.0.0.1:1"]
    hold: {for: 0s}
    retry: {attempts: 1}
    fallback: {respond: {status: 502, body: "@", headers: {X-Fallback: "@"}}}
    maintenance: {enabled: false, allow_headers: {X-Tester: "@"}}
  found:
    upstreams:
      - {http: {url: "%[3]s/list?key=@", headers: {X-Key: "@", Authorization: "@"}}}
      - {http: {url: "%[3]s/other?key=@", token: "@"}}
      - {consul: {service: web, address: %[3]q, token: "@"}}
      - {nomad: {service: web, address: %[3]q, token: "@"}}
      - {etcd: {prefix: /web/, endpoints: %[3]q, username: root, password: "@"}}
      - {docker: {label: web, address: %[3]q}}
    health: {type: tcp, agent: {port: 1, send: "@"}, steps: [{send: "@", expect: "@"}]}
    hold: {for: 0s}
`

// numbered puts numbered secrets into a text.
func numbered(text, mark string) string {
	parts := strings.Split(strings.ReplaceAll(text, ":@@", ":@%40"), "@")
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			fmt.Fprintf(&b, "%s-%03d-0123456789abc", mark, i)
		}
		b.WriteString(strings.ReplaceAll(part, "%40", "@"))
	}
	return b.String()
}

// unplanted returns the keys of a schema that are writeOnly and have no secret in
// a configuration.
func unplanted(schema map[string]any, value any, path, mark string) (list []string) {
	for _, choice := range []string{"oneOf", "anyOf"} {
		all, _ := schema[choice].([]any)
		for _, s := range all {
			if s, ok := s.(map[string]any); ok && (s["properties"] != nil || s["items"] != nil) {
				list = append(list, unplanted(s, value, path, mark)...)
			}
		}
	}
	switch v := value.(type) {
	case []any:
		items, _ := schema["items"].(map[string]any)
		entries := map[string]any{}
		for i, e := range v {
			if m, ok := e.(map[string]any); ok {
				entries[strconv.Itoa(i)] = m
			}
		}
		switch {
		case len(entries) > 0:
			return append(list, unplanted(items, merged(entries), path, mark)...)
		case len(v) > 0:
			return append(list, unplanted(items, v[0], path, mark)...)
		}
		return append(list, path+": empty")
	case map[string]any:
		if more, ok := schema["additionalProperties"].(map[string]any); ok && schema["writeOnly"] == nil && more["properties"] != nil {
			return append(list, unplanted(more, merged(v), path, mark)...)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for key, s := range properties {
		s := s.(map[string]any)
		m, _ := value.(map[string]any)
		at := path + "." + key
		if s["writeOnly"] == true && !strings.Contains(fmt.Sprint(m[key]), mark) {
			list = append(list, at)
		} else if s["writeOnly"] == nil {
			list = append(list, unplanted(s, m[key], at, mark)...)
		}
	}
	return list
}

// merged returns one mapping with all keys of a mapping's entries.
func merged(m map[string]any) map[string]any {
	all := map[string]any{}
	for _, entry := range m {
		for k, v := range entry.(map[string]any) {
			a, isMap := all[k].(map[string]any)
			if b, also := v.(map[string]any); isMap && also {
				v = merged(map[string]any{"a": a, "b": b})
			}
			if a, isList := all[k].([]any); isList {
				b, _ := v.([]any)
				v = slices.Concat(a, b)
			}
			all[k] = v
		}
	}
	return all
}

// TestEverySecret runs goodgate with a secret wherever there may be one, lets
// everything go wrong, and reads all that comes out.
func TestEverySecret(t *testing.T) {
	t.Parallel()
	const mark = "s3cr3t"
	told := make(chan string, 64)
	var traced atomic.Int32
	var asked sync.Map // paths
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.HasPrefix(r.URL.Path, "/hook/") {
			told <- string(body)
			return
		}
		if r.Header.Get("X-Honeycomb-Team") == "" { // a source that repeats its input
			asked.Store(r.URL.Path, true)
			http.Error(w, fmt.Sprint("no: ", r.URL.RawQuery, r.Header, string(body)), http.StatusForbidden)
			return
		}
		traced.Add(1)
		http.Error(w, "unknown key "+r.Header.Get("X-Honeycomb-Team"), http.StatusUnauthorized)
	}))
	defer sink.Close()
	dir := t.TempDir()
	text := fmt.Sprintf(everySecret, dir+"/acme", dir+"/s", sink.URL, app(t, "app"))
	planted := numbered(text, mark)
	if n := strings.Count(planted, mark); n < 40 {
		t.Errorf("only %d secrets were planted", n)
	}
	checkPlanted(t, planted, mark)
	var log logtest.Buffer
	var mistakes []string
	for _, before := range []string{"label: web, address: ", "consul: {service: web, address: ", "nomad: {service: web, address: ", "endpoints: "} {
		mistakes = append(mistakes, before+strconv.Quote(sink.URL), before+`"http://u:@@a.example/?key=@"`)
	}
	broken := numbered(strings.NewReplacer(append(mistakes, `token: "@"`, `token: !@ x`, `secret: "@"}}`, `secret: ["@"]}}`, `body: "@", headers`, `bodyy: "@", headers`)...).Replace(text), mark+"-broken")
	versions := []string{numbered(text, mark+"-other"), broken}
	g := start(t, parse(t, planted), Options{
		Logger:  slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: metrics.New(metrics.Build{Version: "test"}),
		Load: func() (*config.Config, []config.Warning, error) {
			next := versions[0]
			versions = versions[1:]
			return config.Parse("test.yaml", []byte(next), nil)
		},
	})
	for _, path := range []string{"/app", "/gone", "/redirect", "/fixed", "/asked", "/found", "/none"} {
		r, _ := http.NewRequest("GET", "http://"+g.addrs[0]+path, nil)
		r.Header.Set("X-Origin-Verify", mark)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	var paths []string
	eventually(t, "all sources to be asked", func() bool {
		paths = nil
		asked.Range(func(path, _ any) bool { paths = append(paths, path.(string)); return true })
		return len(paths) >= 6
	}, func() string { return fmt.Sprint(paths) })
	out := map[string]string{}
	ask := func(token, method, path string) string {
		body, status := askAdmin(t, dir+"/s", token, method, path)
		out[fmt.Sprintf("%s %s (%d)", method, path, status)] = body
		return body
	}
	c := parse(t, planted)
	token := string(c.Admin.Token)
	var requests []admin.Request
	if err := json.Unmarshal([]byte(ask(token, "GET", "/v1/requests")), &requests); err != nil || len(requests) == 0 {
		t.Errorf("%d requests, %v", len(requests), err)
	}
	for _, q := range requests {
		ask(token, "GET", "/v1/requests/"+q.ID)
	}
	for _, path := range []string{"/v1/status", "/v1/pools", "/v1/config", "/metrics", "/", "/page/view.js"} {
		ask(token, "GET", path)
	}
	if changes := ask(token, "POST", "/v1/reload"); strings.Count(changes, ": changed") < 15 {
		t.Errorf("the reload tells too little: %s", changes)
	}
	token = string(parse(t, numbered(text, mark+"-other")).Admin.Token)
	if failed := ask(token, "POST", "/v1/reload"); !strings.Contains(failed, "secret: found a list") {
		t.Errorf("the broken reload tells %q", failed)
	}
	ask(token, "GET", "/v1/status")
	for kind := ""; kind != "reload_failed"; {
		event := <-told
		out["an event"] += event
		var e struct{ Type string }
		if err := json.Unmarshal([]byte(event), &e); err != nil {
			t.Fatal(err)
		}
		kind = e.Type
	}
	out["check --probe"], out["doctor"] = looked(t, c)
	g.stop()
	if err := <-g.ended; err != nil {
		t.Error(err)
	}
	g.ended <- nil // for start
	out["the log"] = log.String()
	if traced.Load() == 0 || !strings.Contains(out["the log"], "answered 401") {
		t.Errorf("%d traces were sent; the log does not say that they were not taken", traced.Load())
	}
	for where, text := range out {
		if i := strings.Index(text, mark); i >= 0 || text == "" {
			t.Errorf("%s tells %q", where, text[max(i-200, 0):min(max(i, 0)+60, len(text))])
		}
	}
}

// checkPlanted compares the planted secrets with the schema's places for them.
func checkPlanted(t *testing.T, planted, mark string) {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal(config.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	var value map[string]any
	if err := yaml.Unmarshal([]byte(planted), &value); err != nil {
		t.Fatal(err)
	}
	mistakes := []string{"", ".url", ".consul.address", ".nomad.address", ".etcd.endpoints", ".docker.address"} // have room for a secret only in these
	for _, key := range unplanted(schema, value, "", mark) {
		if of, ok := strings.CutPrefix(key, ".pools.upstreams"); !ok || !slices.Contains(mistakes, of) {
			t.Errorf("nothing was planted in %s", key)
		}
	}
}

func askAdmin(t *testing.T, socket, token, method, path string) (body string, status int) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), res.StatusCode
}

// looked returns the output of check's probes and of doctor.
func looked(t *testing.T, c *config.Config) (probes, report string) {
	t.Helper()
	results, err := Probe(t.Context(), c)
	probes = fmt.Sprint(results, err)
	targets, failed, err := assemble.Doctor(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r := doctor.Examine(t.Context(), targets, doctor.Options{MaxWait: time.Second})
	r.Rank()
	var b bytes.Buffer
	if err := r.WriteText(&b, finding.TextOptions{Steps: true}); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	return probes, b.String() + fmt.Sprint(failed)
}
