package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const minimal = `
listeners: [":8080"]
pools:
  app: {upstreams: ["http://127.0.0.1:3001", "http://127.0.0.1:3002"]}
`

// parse parses a file that must be right.
func parse(t *testing.T, text string) (*Config, []Warning) {
	t.Helper()
	c, warnings, err := Parse("goodgate.yaml", []byte(text), noEnv)
	if err != nil {
		t.Fatalf("unexpected errors:\n%v", err)
	}
	return c, warnings
}

// noEnv is an environment without variables.
func noEnv(string) (string, bool) { return "", false }

// withPool returns the minimal file with more keys, in flow style, in its pool.
func withPool(keys string) string {
	return strings.Replace(minimal, "3002\"]}", "3002\"], "+keys+"}", 1)
}

func TestMinimalFileIsSafe(t *testing.T) {
	t.Parallel()
	c, warnings := parse(t, minimal)
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	p := c.Pools["app"]
	for _, check := range []struct {
		name      string
		got, want any
	}{
		{"upstream", p.Upstreams[1], Upstream{URL: "http://127.0.0.1:3002", Scheme: "http", Weight: 1, MaxScope: "instance"}},
		{"policy", p.Policy, "peak_ewma"},
		{"health type", p.Health.Type, "alive"},
		{"header timeout", c.Listeners[0].Timeouts.Header, 10 * time.Second},
		{"breaker", p.Breaker.Enabled, true},
		{"attempts", p.Retry.Attempts, 5},
		{"statuses", p.Retry.Statuses, Statuses{{502, 502}, {503, 503}, {504, 504}}},
		{"hold", p.Hold.For, 10 * time.Second},
		{"commit", p.Commit.Buffer, Size(65536)},
		{"overprovision", p.Overprovision, Ratio(1.4)},
		{"max header", c.Listeners[0].MaxHeader, Size(65536)},
		{"mode", c.Listeners[0].Mode.Perm().String(), "-rw-rw----"},
		{"routes", len(c.Routes), 1},
		{"route", c.Routes[0].Pool + "/" + c.Routes[0].Name + "/" + c.Routes[0].Host, "app/default/keep"},
		{"trusted", len(c.TrustedProxies), 0},
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("%s: got %v, want %v", check.name, check.got, check.want)
		}
	}
}

func TestShorthandAndOrder(t *testing.T) {
	t.Parallel()
	c, _ := parse(t, `
listeners: ["127.0.0.1:1", unix:/run/a.sock, {address: ":0"}]
trusted_proxies: [10.0.0.0/8, "::1", 192.0.2.7]
routes:
  - {match: {host: API.example.com}, pool: app}
  - {name: x, match: {headers: {x-env: ""}}, pool: app, strip_prefix: /v1/, timeout: 0s}
pools:
  app:
    upstreams: [HTTP://Example.COM, "https://[::1]", unix:/run/u.sock, {file: more.yaml}]
    health: {path: /healthz, expect: {status: 2xx}}
    timeouts: {request: 20s}
    tls:
`)
	urls := []string{}
	for _, u := range c.Pools["app"].Upstreams {
		urls = append(urls, u.URL+u.File)
	}
	network, address := c.Listeners[1].Network()
	want := netip.MustParsePrefix("::1/128")
	for _, check := range []struct{ name, got, want string }{
		{"urls", fmt.Sprint(urls), "[http://example.com:80 https://[::1]:443 unix:/run/u.sock more.yaml]"},
		{"unix", network + " " + address, "unix /run/a.sock"},
		{"prefix", c.TrustedProxies[1].String(), want.String()},
		{"host", fmt.Sprint(c.Routes[0].Match.Host), "[api.example.com]"},
		{"name", c.Routes[0].Name, "route-1"},
		{"timeout from pool", c.Routes[0].Timeout.String(), "20s"},
		{"timeout given", c.Routes[1].Timeout.String(), "0s"},
		{"header", fmt.Sprint(c.Routes[1].Match.Headers), "map[X-Env:]"},
		{"prefix without slash", c.Routes[1].StripPrefix, "/v1"},
		{"health", c.Pools["app"].Health.Type, "http"},
		{"status", fmt.Sprint(c.Pools["app"].Health.Expect.Status), "[200-299]"},
	} {
		if check.got != check.want {
			t.Errorf("%s: got %s, want %s", check.name, check.got, check.want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"PORT": "9000", "EMPTY": "", "YAML": "a, b: {c}"}[name]
		return v, ok
	}
	f := func(in, want string) {
		t.Helper()
		got, err := expand(in, env, secretFile)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	f(":${PORT}", ":9000")
	f("${PORT}${PORT}", "90009000")
	f("${NONE:-x y}", "x y")
	f("${EMPTY:-x}", "x")
	f("${EMPTY}", "")
	f("$${PORT} $PORT $", "${PORT} $PORT $")
	f("${NONE}", "error: environment variable NONE is not set: set it, or write ${NONE:-default}")
	f("${no good}", "error: invalid reference: write ${NAME}, ${NAME:-default} or ${file:PATH}; write $${ for a plain ${")
	f("${NONE:-${PORT}}", "error: invalid reference: a reference cannot contain another one")
	f("${PORT", "error: invalid reference: write ${NAME}, ${NAME:-default} or ${file:PATH}; write $${ for a plain ${")

	c, _, err := Parse("x", []byte(strings.Replace(minimal, ":8080", ":${PORT}", 1)+"via: ${EMPTY}\nerrors: {html: '${YAML}'}\n"), env)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Listeners[0].Address + c.Via + c.Errors.HTML; got != ":9000a, b: {c}" {
		t.Errorf("got %q", got)
	}
}

func TestAnchorsAndMerge(t *testing.T) {
	t.Parallel()
	c, _ := parse(t, `
listeners: [":8080"]
routes: [{match: {path: "/b/*"}, pool: b}, {pool: a}]
pools:
  a: &a
    upstreams: ["http://127.0.0.1:1", "http://127.0.0.1:2"]
    retry: &r {attempts: 2, budget: 10%}
    slow_start: 3s
  b:
    <<: *a
    retry: {<<: [*r], attempts: 5}
`)
	b := c.Pools["b"]
	if got := fmt.Sprint(len(b.Upstreams), b.SlowStart, b.Retry.Attempts, b.Retry.Budget); got != "2 3s 5 10%" {
		t.Errorf("got %s", got)
	}
}

func TestSecretStaysHidden(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef-hush"
	c, _ := parse(t, withPool("policy: sticky, sticky: {secret: "+key+"}"))
	s := c.Pools["app"].Sticky.Secret
	if string(s) != key {
		t.Fatalf("got %q", string(s))
	}
	dump, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "config", c.Pools["app"].Sticky)
	_, _, parseErr := Parse("x", []byte(withPool(`sticky: {secret: short-hush, ttl: "hush"}, health: {headers: {A: "hush\nhush"}}`)), nil)
	for _, out := range []string{string(dump), log.String(), fmt.Sprintf("%v %+v %#v %s %q", c, c.Pools, s, s, s)} {
		if strings.Contains(out, "hush") {
			t.Errorf("shown in %s", out)
		}
	}
	if n := strings.Count(parseErr.Error(), "hush"); n != 1 { // of ttl, which is no secret
		t.Errorf("shown in %v", parseErr)
	}
}

func TestSidecar(t *testing.T) {
	t.Parallel()
	c, warnings, err := Sidecar([]string{":8080"}, []string{"http://localhost:3000", "unix:/a${b.sock"}, Admin{})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	fromFile, _ := parse(t, `{listeners: [":8080"], pools: {app: {upstreams: ["http://localhost:3000", "unix:/a$${b.sock"]}}}`)
	if c.from, fromFile.from = (place{}), (place{}); !reflect.DeepEqual(c, fromFile) {
		t.Errorf("got %+v\nwant %+v", c, fromFile)
	}
	_, _, err = Sidecar([]string{"8080"}, []string{"localhost:3000", "http://a", "http://a:80"}, Admin{})
	want := `--listen: found "8080": expected host:port: write :8080 for every address of this machine
--to: found "localhost:3000": a URL needs its scheme: write http://localhost:3000
--to: found "a:80": the same upstream as upstreams[1]`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	_, _, err = Sidecar(nil, nil, Admin{})
	want = `--listen: empty: write [":8080"]` + "\n" + `--to: empty: write ["http://127.0.0.1:3000"]`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// TestSidecarAdmin: the operator's API by a flag is bound by the rules of the file.
func TestSidecarAdmin(t *testing.T) {
	t.Parallel()
	f := func(a Admin, want string) {
		t.Helper()
		c, _, err := Sidecar([]string{"127.0.0.1:8080"}, []string{"http://a"}, a)
		switch {
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "admin.")):
			t.Errorf("%+v: got %v, want %q in it, and no key of a file", a, err, want)
		case want == "" && err != nil:
			t.Errorf("%+v: %v", a, err)
		case err == nil && (c.Admin.Address != a.Address || a.Address != "" && c.Admin.Token != a.Token):
			t.Errorf("%+v: got %+v", a, c.Admin)
		}
	}
	f(Admin{}, "")
	f(Admin{Token: "short"}, "") // there is no listener
	f(Admin{Address: "127.0.0.1:9900"}, "")
	f(Admin{Address: "unix:/run/g${x}.sock", Token: "0123456789abc${x}"}, "")
	f(Admin{Address: "0.0.0.0:9900", Token: "0123456789abcdef"}, "")
	f(Admin{Address: "0.0.0.0:9900"}, "--admin: ")
	f(Admin{Address: "0.0.0.0:9900"}, "GOODGATE_TOKEN")
	f(Admin{Address: "127.0.0.1:9900", Token: "short"}, "GOODGATE_TOKEN: has 5 bytes")
	f(Admin{Address: "9900"}, "--admin: found \"9900\"")
	f(Admin{Address: "127.0.0.1:8080"}, "has this address already")
	if _, _, err := Sidecar([]string{"127.0.0.1:0"}, []string{"http://a"}, Admin{Address: "127.0.0.1:0"}); err != nil {
		t.Errorf("two free ports: %v", err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "g.yaml")
	text := withPool("tls: {ca: ca.pem}") + "errors: {html: /abs.html}\nlog: {output: ./x.log}\n"
	text = strings.Replace(text, "http://127.0.0.1:3001", "https://127.0.0.1:3001", 1)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.Pools["app"].TLS.CA, c.Errors.HTML, c.Errors.JSON, c.Log.Output}
	if want := []string{filepath.Join(dir, "ca.pem"), "/abs.html", "", filepath.Join(dir, "x.log")}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, _, err := Load(filepath.Join(dir, "none")); !os.IsNotExist(err) && !strings.Contains(fmt.Sprint(err), "none") {
		t.Errorf("got %v", err)
	}
}
