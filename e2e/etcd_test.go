package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// etcd is a running etcd server.
type etcd struct {
	*process
	argv   []string
	url    string
	client *http.Client
	token  string // of a login; "" = none is needed
}

// startEtcd runs etcd without TLS.
func startEtcd(t *testing.T) *etcd {
	t.Helper()
	return startEtcdAt(t, "http://"+freeAddress(t), http.DefaultClient)
}

func startEtcdAt(t *testing.T, url string, client *http.Client, args ...string) *etcd {
	t.Helper()
	e := &etcd{url: url, client: client}
	e.argv = append([]string{need(t, "etcd"), "--data-dir", t.TempDir(), "--listen-client-urls", e.url, "--advertise-client-urls", e.url,
		"--listen-peer-urls", "http://" + freeAddress(t)}, args...)
	e.start(t)
	return e
}

func (e *etcd) start(t *testing.T) {
	t.Helper()
	e.process = startProcess(t, "etcd", nil, e.argv...)
	waitFor(t, "etcd to serve", func() bool {
		res, err := e.client.Get(e.url + "/health")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return strings.Contains(string(body), `"true"`)
	})
}

// ask sends a request to etcd. Its key, value and range_end are bytes.
func (e *etcd) ask(path string, question map[string]any) map[string]any {
	e.t.Helper()
	for _, field := range []string{"key", "value", "range_end"} {
		if text, ok := question[field].(string); ok {
			question[field] = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	body, err := json.Marshal(question)
	if err != nil {
		e.t.Fatal(err)
	}
	req, err := http.NewRequest("POST", e.url+path, bytes.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	if e.token != "" {
		req.Header.Set("Authorization", e.token)
	}
	res, err := e.client.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != 200 {
		e.t.Fatalf("%s: %d, %v, %v", path, res.StatusCode, answer, err)
	}
	return answer
}

func (e *etcd) put(key, value string) {
	e.t.Helper()
	e.ask("/v3/kv/put", map[string]any{"key": key, "value": value})
}

// TestEtcd runs a real etcd: keys are added, change, drain, expire with their lease and
// are deleted, also when the watched revision has been compacted.
func TestEtcd(t *testing.T) {
	t.Parallel()
	e := startEtcd(t)
	one, two := startApp(t, "go", "one"), startApp(t, "go", "two")
	e.put("/web/1", one.url())
	e.put("/web/bad", "nonsense")
	e.put("/other/1", "http://127.0.0.1:1")
	g, pool := startSource(t, fmt.Sprintf("{etcd: {prefix: /web/, endpoints: [%q], wait: 1s}}", e.url))
	states := func(want string) {
		t.Helper()
		var got string
		waitFor(t, "upstreams "+want, func() bool {
			var words []string
			for _, u := range pool().Upstreams {
				words = append(words, strings.TrimPrefix(u.Address, "127.0.0.1:")+" "+u.Lifecycle+" "+u.Zone)
			}
			got = strings.ReplaceAll(strings.ReplaceAll(strings.Join(words, ", "), appPort(one), "one"), appPort(two), "two")
			return got == want
		})
	}
	states("one serving ")
	if s := pool().Sources[0]; len(s.LeftOut) != 1 || s.LeftOut[0].What != "/web/bad" {
		t.Errorf("left out %+v", s.LeftOut)
	}
	lease := e.ask("/v3/lease/grant", map[string]any{"TTL": 60})["ID"]
	e.ask("/v3/kv/put", map[string]any{"key": "/web/2", "value": fmt.Sprintf(`{"url": %q, "zone": "b"}`, two.url()), "lease": lease})
	states("one serving , two serving b")
	e.put("/web/1", fmt.Sprintf(`{"url": %q, "lifecycle": "terminating"}`, one.url()))
	states("one terminating , two serving b")
	revision := e.ask("/v3/kv/range", map[string]any{"key": "/web/1"})["header"].(map[string]any)["revision"]
	e.ask("/v3/kv/compaction", map[string]any{"revision": revision, "physical": true})
	e.put("/web/1", one.url())
	states("one serving , two serving b")
	e.ask("/v3/lease/revoke", map[string]any{"ID": lease})
	states("one serving ")
	g.finish()
}

// losses are the failures of a discovery backend.
var losses = map[string]struct{ lose, back func(t *testing.T, e *etcd) }{
	"kill -9": {func(_ *testing.T, e *etcd) { e.kill() }, func(t *testing.T, e *etcd) { e.start(t) }},
	"SIGSTOP": {func(_ *testing.T, e *etcd) { e.freeze() }, func(_ *testing.T, e *etcd) { e.signal(syscall.SIGCONT) }},
}

// TestEtcdOutage stops etcd under load: no request fails, the set stays, and health
// checks find an upstream that dies. Status and metrics report that the source fails.
// When etcd is back, the changes made meanwhile take effect.
func TestEtcdOutage(t *testing.T) {
	if os.Getenv("GOODGATE_LONG") == "" {
		t.Skip("takes some seconds: GOODGATE_LONG=1; TestListOutage is the short version")
	}
	for name, loss := range losses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startEtcd(t)
			one, two, three := startApp(t, "go", "one"), startApp(t, "go", "two"), startApp(t, "go", "three")
			e.put("/web/1", one.url())
			e.put("/web/2", two.url())
			g, pool := startSource(t, fmt.Sprintf("{etcd: {prefix: /web/, endpoints: [%q], wait: 1s, timeout: 500ms}}", e.url))
			l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: safe, keepAlive: true})
			l.until("an answer of two", func(r result) bool { return r.app == "two" })
			loss.lose(t, e)
			waitFor(t, "the status to say that etcd is lost", func() bool { s := pool().Sources[0]; return s.Error != "" && !s.Failing.IsZero() })
			if p := pool(); len(p.Upstreams) != 2 || p.Sources[0].Upstreams != 2 || !strings.Contains(p.SourceError, "etcd: /web/") {
				t.Errorf("while it is lost: %d upstreams, %+v, %q", len(p.Upstreams), p.Sources, p.SourceError)
			}
			g.waitMessage("upstreams could not be looked up; the known addresses stay in use")
			two.kill()
			seen := len(l.answered())
			l.more(100)
			if by := servedBy(l.answered()[seen:]); by["one"] == 0 {
				t.Errorf("served by %v", by)
			}
			loss.back(t, e)
			e.put("/web/3", three.url())
			e.put("/web/2", fmt.Sprintf(`{"url": %q, "lifecycle": "terminating"}`, two.url()))
			l.until("an answer of three", func(r result) bool { return r.app == "three" })
			waitFor(t, "the status to say that etcd is back", func() bool { s := pool().Sources[0]; return s.Error == "" && s.Failing.IsZero() })
			results := l.finish()
			g.finish()
			wantNoneFailed(t, g, results)
		})
	}
}
