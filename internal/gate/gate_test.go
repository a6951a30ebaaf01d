package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

func parse(t *testing.T, yaml string) *config.Config {
	t.Helper()
	c, _, err := config.Parse("test.yaml", []byte(yaml), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// running is a gate that serves.
type running struct {
	gate  *Gate
	addrs []string
	now   chan struct{}
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, c *config.Config, o Options) *running {
	t.Helper()
	g, err := New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, g)
}

func run(t *testing.T, g *Gate) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{gate: g, now: make(chan struct{}), stop: stop, ended: make(chan error, 1)}
	ready := make(chan []string, 1)
	go func() { r.ended <- g.Run(ctx, r.now, func(a []string) { ready <- a }) }()
	select {
	case r.addrs = <-ready:
	case err := <-r.ended:
		t.Fatalf("Run: %v", err)
	}
	t.Cleanup(func() {
		stop()
		select {
		case <-r.now:
		default:
			close(r.now)
		}
		if err := <-r.ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, body)
}

func app(t *testing.T, text string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", text, r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestTwoGatesSideBySide fails when anything is kept in package variables.
func TestTwoGatesSideBySide(t *testing.T) {
	const yaml = `
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`
	one := start(t, parse(t, fmt.Sprintf(yaml, app(t, "one"))), Options{})
	two := start(t, parse(t, fmt.Sprintf(yaml, app(t, "two"))), Options{})
	if got, want := get(t, "http://"+one.addrs[0]+"/x"), "200 one /x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := get(t, "http://"+two.addrs[0]+"/x"), "200 two /x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRoutesAndPages(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "error.json")
	if err := os.WriteFile(page, []byte(`{"why":"{{.Reason}}"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0", "unix:%s/gate.sock"]
shutdown: {lame_duck: 0s}
errors: {json: %s}
routes:
  - {match: {path: "/a/*"}, pool: a, strip_prefix: /a, add_prefix: /inner}
  - {match: {path: /old}, redirect: {to: "/new{query}", status: 302}}
  - {match: {path: /fixed}, respond: {status: 418, body: "short"}}
pools:
  a: {upstreams: [%q]}`, dir, page, app(t, "a")))
	var seen []string
	g := start(t, c, Options{Observe: []func(*proxy.Record){func(r *proxy.Record) {
		seen = append(seen, r.Route+" "+r.Reason.String())
	}}})
	base := "http://" + g.addrs[0]
	for _, test := range []struct{ path, want string }{
		{"/a/x", "200 a /inner/x"},
		{"/fixed", "418 short"},
	} {
		if got := get(t, base+test.path); got != test.want {
			t.Errorf("%s: got %q, want %q", test.path, got, test.want)
		}
	}
	req, _ := http.NewRequest("GET", base+"/nowhere", nil)
	req.Header.Set("Accept", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if got, want := string(body), `{"why":"no_route"}`; got != want {
		t.Errorf("own error page: got %q, want %q", got, want)
	}
	res, err = http.DefaultTransport.RoundTrip(httptest.NewRequest("GET", base+"/old?a=1", nil))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got, want := res.Header.Get("Location"), "/new?a=1"; res.StatusCode != 302 || got != want {
		t.Errorf("redirect: got %d %q, want 302 %q", res.StatusCode, got, want)
	}
	if info, err := os.Stat(filepath.Join(dir, "gate.sock")); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("socket: %v, %v; want mode 0660", info, err)
	}
	if want := []string{"route-1 none", "route-3 none", " no_route", "route-2 none"}; !reflect.DeepEqual(seen, want) {
		t.Errorf("observed %q, want %q", seen, want)
	}
}

// TestNewReportsEveryPool checks that the error of New names all faulty pools.
func TestNewReportsEveryPool(t *testing.T) {
	c := parse(t, `
listeners: ["127.0.0.1:0"]
routes: [{match: {path: /a}, pool: a}, {pool: b}]
pools:
  a: {upstreams: ["https://127.0.0.1:1"], tls: {ca: /nowhere/a.pem}}
  b: {upstreams: ["https://127.0.0.1:2"], tls: {ca: /nowhere/b.pem}}`)
	_, err := New(c, Options{})
	if err == nil || !strings.Contains(err.Error(), "pools.a: tls.ca") || !strings.Contains(err.Error(), "pools.b: tls.ca") {
		t.Errorf("got %v, want both pools named", err)
	}
}

func TestListenAllOrNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	sock := filepath.Join(t.TempDir(), "gate.sock")
	c := parse(t, fmt.Sprintf(`
listeners: ["unix:%s", %q]
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}`, sock, taken.Addr()))
	g, err := New(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(t.Context(), nil, nil); err == nil || !strings.Contains(err.Error(), "listeners[1]") {
		t.Errorf("got %v, want an error that names listeners[1]", err)
	}
	if _, err := os.Stat(sock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the other listener was left open: %v", err)
	}
}

func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	if err := removeStale(path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a socket that answers: got %v", err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if err := removeStale(path); err != nil {
		t.Errorf("a stale socket: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := removeStale(path); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file: got %v", err)
	}
}

func TestProbe(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	mute := listen(t, func(c net.Conn) { io.Copy(io.Discard, c); c.Close() })
	c := parse(t, fmt.Sprintf(`
listeners: [":0"]
pools:
  app:
    health: {path: /}
    upstreams: [%q, "http://%s", {file: nowhere.yaml}]
  default: {upstreams: [%[1]q, "http://%[3]s"]}
  nothing: {upstreams: [%[1]q, "http://%[3]s"], health: {type: none}}
routes: [{pool: app}]`, app(t, "x"), closed.Addr(), mute))
	results, err := Probe(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprintf("%s passed=%t answered=%t", r.Kind, r.Err == nil, r.Answered))
	}
	if want := []string{
		"http passed=true answered=true", "http passed=false answered=false", "lookup passed=false answered=false",
		"alive passed=true answered=true", "alive passed=true answered=false",
		"tcp passed=true answered=false", "tcp passed=true answered=false",
	}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
