//go:build !minimal

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
)

// ran runs a command and returns its output on both streams.
func ran(args ...string) (out string, code int) {
	var b bytes.Buffer
	code = run(args, &b, &b)
	return b.String(), code
}

func TestFmt(t *testing.T) {
	t.Parallel()
	file := configuration(t, "listeners:\n- \":8080\"\npools:\n    app: {upstreams: [\"http://127.0.0.1:1\"]}\n")
	good := configuration(t, "a: 1\n")
	const want = "listeners:\n  - \":8080\"\npools:\n  app: {upstreams: [\"http://127.0.0.1:1\"]}\n"
	if out, code := ran("fmt", file); out != want || code != exitOK {
		t.Errorf("fmt: %d, %s", code, out)
	}
	if out, code := ran("fmt", "--check", good, file); out != file+"\n" || code != exitFailed {
		t.Errorf("fmt --check: %d, %s", code, out)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if out, code := ran("fmt", "--write", link, good); out != "" || code != exitOK {
		t.Errorf("fmt --write: %d, %s", code, out)
	}
	text, err := os.ReadFile(file)
	info, _ := os.Stat(file)
	if err != nil || string(text) != want || info.Mode().Perm() != 0o600 {
		t.Errorf("got %s, %v, %v", text, info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".goodgate*")); len(left) > 0 || err != nil {
		t.Errorf("left behind: %q", left)
	}
	if out, code := ran("fmt", "--check", link); out != "" || code != exitOK {
		t.Errorf("fmt --check: %d, %s", code, out)
	}
	if out, code := ran("fmt", configuration(t, "a: [\n")); code != exitUsage || !strings.Contains(out, "1:4: not valid YAML") {
		t.Errorf("no YAML: %d, %s", code, out)
	}
	if out, code := ran("fmt", file, good); code != exitUsage || !strings.Contains(out, "--write or --check") {
		t.Errorf("two files: %d, %s", code, out)
	}
}

// TestInit: each first configuration is good, and no file is overwritten.
func TestInit(t *testing.T) {
	t.Parallel()
	for _, k := range startKinds() {
		dir := t.TempDir()
		file := filepath.Join(dir, "goodgate.yaml")
		if k[0] == "parts" {
			if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o700); err != nil {
				t.Fatal(err)
			}
			part := "routes: [{name: shop, match: {host: shop.example.com}, pool: shop}]\npools: {shop: {upstreams: [\"http://127.0.0.1:3001\"]}}\n"
			if err := os.WriteFile(filepath.Join(dir, "conf.d", "shop.yaml"), []byte(part), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, code := ran("init", k[0], "--file", file); code != exitOK || !strings.Contains(out, file) {
			t.Errorf("init %s: %d, %s", k[0], code, out)
		}
		if out, code := checked(t, file); code != exitOK || !strings.Contains(out, ", 0 warnings") {
			t.Errorf("check of %s: %d, %s", k[0], code, out)
		}
		if out, code := ran("init", k[0], "-f", file); code != exitFailed || !strings.Contains(out, "exists, and init does not overwrite it") {
			t.Errorf("init %s again: %d, %s", k[0], code, out)
		}
		if out, code := ran("init", k[0], "-f", "-"); code != exitOK || !strings.HasPrefix(out, "# goodgate ") {
			t.Errorf("init %s to standard output: %d, %s", k[0], code, out)
		}
	}
	if out, code := ran("init", "none"); code != exitUsage || !strings.Contains(out, "expected app, pool") {
		t.Errorf("init none: %d, %s", code, out)
	}
}

const diffOld = `
listeners: [":8080", ":8081"]
admin: {token: 0123456789abcdef}
routes: [{name: a, match: {path: /a}, pool: app}, {name: b, pool: app}]
pools:
  app: {upstreams: ["http://127.0.0.1:1", "http://127.0.0.1:2"]}
  gone: {upstreams: ["http://127.0.0.1:3"]}
`

const diffNew = `
listeners: [{address: ":8080", max_header: 8KiB}, ":8082"]
admin: {token: fedcba9876543210}
routes: [{name: b, pool: app}, {name: c, match: {path: /c}, pool: app}]
pools:
  app: {upstreams: ["http://127.0.0.1:1"], breaker: {consecutive: 9}, timeouts: {dial: 3s}}
  new: {upstreams: ["http://127.0.0.1:4"]}
`

func TestDiff(t *testing.T) {
	t.Parallel()
	old, next := configuration(t, diffOld), configuration(t, diffNew)
	want := `listeners[:8080].max_header: 64KiB -> 8KiB
listeners[:8081]: removed
listeners[:8082]: added
admin.token: changed
routes[a]: removed
routes[c]: added
pools.app.upstreams[http://127.0.0.1:2]: removed
pools.app.breaker.consecutive: 5 -> 9
pools.app.timeouts.dial: 1s -> 3s
pools.gone: removed
pools.new: added
reload: listener :8080 keeps its socket open; its connections close after their next response
reload: listener :8081 stops accepting; its connections drain (shutdown.lame_duck, shutdown.grace)
reload: listener :8082 opens; if its address is in use, the whole reload fails
reload: the breakers of pool app reset to closed
reload: pool app replaces its upstream connections as their requests end
reload: pool gone ends; its requests in flight finish
reload: pool new starts; its requests wait up to 2s for the first available upstream
reload: no change needs a restart
`
	if out, code := ran("diff", old, next); out != want || code != exitOK {
		t.Errorf("%d, got\n%s\nwant\n%s", code, out, want)
	}
	if out, code := ran("diff", old, old); out != "no differences\n" || code != exitOK {
		t.Errorf("%d, %s", code, out)
	}
	if out, code := ran("diff", old, configuration(t, "listeners: []\n")); code != exitUsage || !strings.Contains(out, "listeners: empty") {
		t.Errorf("%d, %s", code, out)
	}
	moved := configuration(t, diffOld+"state: {file: state.json}\n")
	if out, code := ran("diff", old, moved); !strings.HasSuffix(out, "\nreload: changed state settings need a new process (SIGUSR2 or a restart)\n") || code != exitOK {
		t.Errorf("%d, %s", code, out)
	}
	out, code := ran("diff", "-o", "json", old, next)
	var d fileDiff
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != exitOK || len(d.Changes) != 11 || d.Changes[1] != (config.Change{Path: "listeners[:8081]", What: "removed"}) || len(d.Effects) != 8 {
		t.Errorf("%d, %v, %s", code, err, out)
	}
}

// TestDiffRunning: values that a running goodgate hides are no difference.
func TestDiffRunning(t *testing.T) {
	t.Parallel()
	old, _, err := config.Parse("x", []byte(diffOld), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/config" {
			http.Error(w, `{"error":"no"}`, 404)
			return
		}
		w.Write(config.Dump(old))
	}))
	defer s.Close()
	address := strings.TrimPrefix(s.URL, "http://")
	if out, code := ran("diff", "--admin", address, configuration(t, diffOld)); out != "no differences\n" || code != exitOK {
		t.Errorf("%d, %s", code, out)
	}
	out, code := ran("diff", "--admin", address, configuration(t, diffNew))
	if code != exitOK || !strings.Contains(out, "pools.app.breaker.consecutive: 5 -> 9\n") || strings.Contains(out, "admin.token") || strings.Count(out, "\n") != 18 {
		t.Errorf("%d, %s", code, out)
	}
}

const explainedFile = `
listeners: ["127.0.0.1:8080", {address: "127.0.0.1:8443", name: secure, tls: {acme: {hosts: a.example.com, accept_terms: true, cache: %s}}}]
trusted_proxies: [10.0.0.0/8]
defaults: {retry: {attempts: 3}}
routes:
  - {name: admin, match: {host: admin.example.com, path: /admin/*, headers: {X-Key: s3cr3t-one}}, pool: app}
  - {name: posts, match: {methods: [POST]}, pool: app}
  - {name: moved, match: {path: /old/*}, redirect: {to: "https://b.example.com{path}"}}
  - {name: closed, match: {path: /closed/*}, pool: app, access: {deny: 0.0.0.0/0}}
  - {name: secure, match: {listener: secure, path: /app/*}, pool: app, strip_prefix: /app, host: upstream, request_headers: {set: {Authorization: s3cr3t-two}}, timeout: 5s}
  - {name: shop, match: {host: "*.example.com"}, pool: app}
pools:
  app: {upstreams: ["https://app.internal:8443"], slow_start: 3s}
`

// TestExplainRunning: the health of upstreams comes from the goodgate at the file's admin.address.
func TestExplainRunning(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(admin.Status{Pools: []admin.Pool{{Name: "app", Upstreams: []admin.Upstream{
			{Address: "10.0.0.1:80", Available: true, Why: "available"}, {Address: "10.0.0.2:80", Why: "health check failed"},
		}}}})
	}))
	defer s.Close()
	address := strings.TrimPrefix(s.URL, "http://")
	file := configuration(t, "listeners: [\":8080\"]\nadmin: "+address+"\npools: {app: {upstreams: [\"http://app:80\"]}}\n")
	out, code := ran("explain", "-c", file, "http://a/")
	if want := "upstreams of app (health from " + address + "):\n  10.0.0.1:80  available\n  10.0.0.2:80  not available: health check failed\n"; code != exitOK || !strings.Contains(out, want) {
		t.Errorf("%d, %s", code, out)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	file := configuration(t, fmt.Sprintf(explainedFile, t.TempDir()))
	f := func(want []string, without []string, args ...string) {
		t.Helper()
		out, code := ran(append([]string{"explain", "-c", file}, args...)...)
		if code != exitOK {
			t.Errorf("%q: exit code %d: %s", args, code, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%q: no %q in\n%s", args, w, out)
			}
		}
		for _, w := range append(without, "s3cr3t") {
			if strings.Contains(out, w) {
				t.Errorf("%q: %q in\n%s", args, w, out)
			}
		}
	}
	f([]string{
		"GET http://www.example.com/x?y=1 at listener 127.0.0.1:8080, from 127.0.0.1\n",
		"  no   admin ", ":6 ", " host [admin.example.com]; path /admin/*; headers.X-Key (hidden)\n", " methods [POST]\n", "path /app/*; listener [secure]\n", "  yes  shop",
		"  slow_start: 3s\n  retry.attempts: 3  (from defaults)\n", "  https://app.internal:8443\n",
		"\nan upstream gets:\n  GET /x?y=1\n  Host: www.example.com\n", "  X-Forwarded-For: 127.0.0.1\n", "  X-One: 1\n",
	}, []string{"Content-Length"}, "http://www.example.com/x?y=1", "-H", "X-One: 1", "-H", "Forwarded: for=evil")
	f([]string{"from 192.0.2.9\n", "  yes  posts"}, []string{"shop"}, "-X", "POST", "--client", "10.1.1.1", "-H", "X-Forwarded-For: 192.0.2.9", "http://www.example.com/")
	f([]string{"goodgate answers 308, Location: https://b.example.com/old/x\n", "  redirect.to: https://b.example.com{path}\n"}, []string{"upstream gets"}, "http://a/old/x")
	f([]string{"goodgate answers 403 (access_denied)\n"}, []string{"upstream gets"}, "http://a/closed/x")
	f([]string{"at listener 127.0.0.1:8443", "  yes  secure", "  GET /x\n  Host: (the upstream's own)\n", "  Authorization: (set by the route)\n", "  X-Forwarded-Proto: https\n", "  timeout: 5s\n"}, nil, "https://a/app/x")
	f([]string{"  none matches\n", "goodgate answers 404 (no_route)\n"}, nil, "http://a/")
	f([]string{"  none tried: goodgate refuses the request before routing\n", "goodgate answers 400 (request_malformed)\n"}, []string{"none matches"}, "http://www.example.com/a/../../x")
	out, code := ran("explain", "-c", file, "-o", "json", "http://www.example.com/")
	var e explained
	if err := json.Unmarshal([]byte(out), &e); err != nil || code != exitOK || e.Route != "shop" || e.Pool != "app" || len(e.Routes) != 6 || e.Routes[1].Unmet[0] != "methods [POST]" || e.Forwarded.Host != "www.example.com" || e.Upstreams[0].Available != nil {
		t.Errorf("%d, %v, %s", code, err, out)
	}
	for _, args := range [][]string{{"www.example.com"}, {"http://a/", "--client", "x"}, {"http://a/", "-H", "x"}, {"http://a/", "--listener", "none"}, {"ftp://a/"}, {"http://a/", "-X", "A B"}} {
		if out, code := ran(append([]string{"explain", "-c", file}, args...)...); code != exitUsage {
			t.Errorf("%q: %d, %s", args, code, out)
		}
	}
}
