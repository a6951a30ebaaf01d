package gate

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/config"
)

var reloadTimes = flag.Int("reloads", 100, "how often TestReloadUnderLoad reloads")

// reload replaces the configuration and fails the test if it cannot.
func (r *running) reload(t *testing.T, c *config.Config) []string {
	t.Helper()
	changes, err := r.gate.Reload(c)
	if err != nil {
		t.Fatalf("Reload: %v", err)
	}
	var texts []string
	for _, c := range changes {
		texts = append(texts, c.String())
	}
	return texts
}

// TestReloadUnderLoad checks that every request is answered while all possible settings
// change, and that nothing is left behind. The long run: -reloads 1000.
func TestReloadUnderLoad(t *testing.T) {
	one, two, three := app(t, "one"), app(t, "two"), app(t, "three")
	extra := filepath.Join(t.TempDir(), "extra.sock")
	const common = "listeners: [{address: \"127.0.0.1:0\", timeouts: {header: %s}}%s]\nshutdown: {lame_duck: 1s, grace: 5s}\n"
	variants := []*config.Config{
		parse(t, fmt.Sprintf(common+`pools: {app: {policy: first, upstreams: [%q, %q]}}`, "10s", "", one, two)),
		parse(t, fmt.Sprintf(common+`
routes: [{match: {path: /other}, pool: other}, {pool: app, timeout: 20s}]
pools:
  app: {policy: p2c, upstreams: [%q, {url: %q, weight: 3}], breaker: {consecutive: 4}, timeouts: {dial: 2s}, health: {interval: 1s}}
  other: {upstreams: [%q]}`, "11s", `, "unix:`+extra+`"`, two, three, three)),
		parse(t, fmt.Sprintf(common+`pools: {app: {policy: hash, hash: {on: path}, upstreams: [%q, %q], health: {type: none}, slow_start: 0s}}`, "10s", "", one, three)),
	}
	g := start(t, variants[0], Options{})
	base := "http://" + g.addrs[0]
	get(t, base+"/")
	http.DefaultClient.CloseIdleConnections()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)

	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var served atomic.Int64
	for i := range 4 {
		client := &http.Client{Transport: &http.Transport{MaxIdleConns: 1}}
		wg.Go(func() {
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				if err := post(client, base+fmt.Sprintf("/%d", i)); err != nil {
					t.Error(err)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range *reloadTimes {
		before := served.Load()
		g.reload(t, variants[(i+1)%len(variants)])
		for served.Load() < before+4 && !t.Failed() { // some load between any two
			runtime.Gosched()
		}
	}
	stop()
	wg.Wait()
	t.Logf("%d reloads, %d requests", *reloadTimes, served.Load())
	g.reload(t, variants[0])
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "goroutines and files to be as few as before", func() bool {
		return runtime.NumGoroutine() <= goroutines+2 && openFiles(t) <= files+2
	}, func() string { return fmt.Sprint(runtime.NumGoroutine(), openFiles(t), " before ", goroutines, files) })
}

// post sends a request that must not be sent twice.
func post(client *http.Client, url string) error {
	res, err := client.Post(url, "text/plain", strings.NewReader("x"))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		return fmt.Errorf("%s: %d %s, %v", url, res.StatusCode, body, err)
	}
	return nil
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	return len(list)
}

// eventually waits for a condition, with a bound.
func eventually(t *testing.T, what string, cond func() bool, state func() string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s: %s", what, state())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestReloadKeepsUpstreams(t *testing.T) {
	const yaml = `
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
pools: {app: {policy: %s, upstreams: [%q, %s], sticky: {cookie: c}}}`
	one := app(t, "one")
	g := start(t, parse(t, fmt.Sprintf(yaml, "first", one, `"http://127.0.0.1:1"`)), Options{})
	get(t, "http://"+g.addrs[0])
	before := g.gate.Pools()[0].Members()
	if _, err := g.gate.Order(drainOf(before[0].Addr())); err != nil {
		t.Fatal(err)
	}

	changes := g.reload(t, parse(t, fmt.Sprintf(yaml, "sticky", one, `{url: "http://127.0.0.1:1", weight: 5}, "http://127.0.0.1:2"`)))
	eventually(t, "the third upstream", func() bool { return len(g.gate.Pools()[0].Members()) == 3 }, func() string { return "" })
	after := g.gate.Pools()[0].Members()
	if after[0].Upstream != before[0].Upstream || after[1].Upstream != before[1].Upstream {
		t.Error("upstreams that stayed were made anew")
	}
	if after[0].Operator() != balancer.Drain || after[0].Latency() == 0 || after[1].Weight != 5 {
		t.Errorf("operator %v, latency %v, weight %d; want drain, some, 5", after[0].Operator(), after[0].Latency(), after[1].Weight)
	}
	if got := g.gate.Pools()[0].Policy(); got != "sticky" {
		t.Errorf("policy %q, want sticky", got)
	}
	want := []string{"pools.app.policy: first -> sticky", "pools.app.upstreams[http://127.0.0.1:1].weight: 1 -> 5", "pools.app.upstreams[http://127.0.0.1:2]: added"}
	if !slices.Equal(changes, want) {
		t.Errorf("changes %q, want %q", changes, want)
	}
}

// TestReloadAllOrNothing tries configurations that cannot be applied, and checks that
// nothing has changed.
func TestReloadAllOrNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	sock := filepath.Join(t.TempDir(), "new.sock")
	one, two := app(t, "one"), app(t, "two")
	g := start(t, parse(t, fmt.Sprintf("listeners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [%q]}}", one)), Options{})
	before := g.gate.current.Load()
	for _, test := range []struct{ name, listeners, more, want string }{
		{"a port in use", fmt.Sprintf("\"127.0.0.1:0\", \"unix:%s\", %q", sock, taken.Addr()), "", "listeners[2]"},
		{"a missing page", `"127.0.0.1:0"`, "errors: {html: /nowhere.html}", "errors.html"},
		{"missing authorities", `"127.0.0.1:0"`, "", "pools.new: tls.ca"},
	} {
		pools := fmt.Sprintf("pools: {app: {upstreams: [%q]}}", two)
		if strings.Contains(test.want, "tls") {
			pools = fmt.Sprintf("routes: [{pool: app}]\npools: {app: {upstreams: [%q]}, new: {upstreams: [%q], tls: {ca: /nowhere.pem}}}", two, two)
		}
		_, err := g.gate.Reload(parse(t, fmt.Sprintf("listeners: [%s]\n%s\n%s", test.listeners, test.more, pools)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error about %s", test.name, err, test.want)
		}
		if got := get(t, "http://"+g.addrs[0]); got != "200 one /" {
			t.Errorf("%s: afterwards got %q", test.name, got)
		}
	}
	if g.gate.current.Load() != before {
		t.Error("what the gate consists of has changed")
	}
	if _, err := os.Stat(sock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a listener of a failed reload was left open: %v", err)
	}
}

// TestReloadListeners changes the options of one listener, takes one out and
// adds one, and looks at a connection of each.
func TestReloadListeners(t *testing.T) {
	dir := t.TempDir()
	const yaml = "listeners: [%s]\nshutdown: {lame_duck: 200ms, grace: 5s}\npools: {app: {upstreams: [%q]}}"
	unix := func(name string) string { return "unix:" + filepath.Join(dir, name) }
	one := app(t, "one")
	c := parse(t, fmt.Sprintf(yaml, fmt.Sprintf("%q, %q, %q", unix("same"), unix("changed"), unix("gone")), one))
	g := start(t, c, Options{})
	conns := map[string]*wire{}
	for _, name := range []string{"same", "changed", "gone"} {
		conns[name] = dialUnix(t, filepath.Join(dir, name))
		if got := conns[name].get(t); got != "200 keep" {
			t.Fatalf("%s before: %s", name, got)
		}
	}
	g.reload(t, parse(t, fmt.Sprintf(yaml, fmt.Sprintf("%q, {address: %q, mode: \"0600\", max_header: 1KiB}, %q", unix("same"), unix("changed"), unix("new")), one)))
	for name, want := range map[string]string{"same": "200 keep", "changed": "200 close", "gone": "200 close"} {
		if got := conns[name].get(t); got != want {
			t.Errorf("the connection to %q: %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"same", "changed", "new"} {
		if got := dialUnix(t, filepath.Join(dir, name)).get(t); got != "200 keep" {
			t.Errorf("a connection to %q: %s", name, got)
		}
	}
	if _, err := net.Dial("unix", filepath.Join(dir, "gone")); err == nil {
		t.Error("the listener that was taken out still accepts")
	}
	if info, err := os.Stat(filepath.Join(dir, "changed")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v; want mode 0600", info, err)
	}
}

// wire is a client's connection.
type wire struct {
	net.Conn
	r *bufio.Reader
}

func dialUnix(t *testing.T, path string) *wire {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return &wire{c, bufio.NewReader(c)}
}

// get returns the status of the answer, and whether the connection stays.
func (w *wire) get(t *testing.T) string {
	t.Helper()
	io.WriteString(w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	res, err := http.ReadResponse(w.r, nil)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	if res.Close {
		return fmt.Sprint(res.StatusCode, " close")
	}
	return fmt.Sprint(res.StatusCode, " keep")
}

// TestReloadLeavesTunnels checks that an upgraded connection survives a reload, and is
// still known when the process ends.
func TestReloadLeavesTunnels(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(c, rw)
	}))
	defer echo.Close()
	const yaml = "listeners: [\"unix:%s\"]\nshutdown: {lame_duck: 0s, grace: 0s, tunnels: %s}\npools: {app: {upstreams: [%q], retry: {attempts: %d}}}"
	sock := filepath.Join(t.TempDir(), "s")
	g := start(t, parse(t, fmt.Sprintf(yaml, sock, "1h", echo.URL, 3)), Options{})
	c := dialUnix(t, sock)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	if res, err := http.ReadResponse(c.r, nil); err != nil || res.StatusCode != 101 {
		t.Fatalf("%v, %v", res, err)
	}
	say := func(when string) {
		t.Helper()
		io.WriteString(c, "x\n")
		if line, err := c.r.ReadString('\n'); line != "x\n" {
			t.Fatalf("%s: got %q, %v", when, line, err)
		}
	}
	say("before")
	g.reload(t, parse(t, fmt.Sprintf(yaml, sock, "1h", echo.URL, 2)))
	say("after a reload")
	g.stop()
	eventually(t, "the socket to be gone", func() bool { _, err := os.Stat(sock); return err != nil }, func() string { return "" })
	say("after the grace of requests") // it has a separate time limit
	close(g.now)
	if _, err := c.r.ReadByte(); err == nil {
		t.Error("the tunnel survived the end")
	}
}

// TestShutdownReason checks that a request that waits for an upstream when the grace
// time ends is answered, not cut off.
func TestShutdownReason(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	g := start(t, parse(t, fmt.Sprintf(`
listeners: ["unix:%s"]
shutdown: {lame_duck: 0s, grace: 100ms}
pools: {app: {upstreams: ["http://127.0.0.1:1"], hold: {for: 1m}}}`, sock)), Options{})
	c := dialUnix(t, sock)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "the request to wait", func() bool { return g.gate.Pools()[0].Waiting() == 1 }, func() string { return "" })
	g.stop()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(res.StatusCode, res.Close, res.Header["Proxy-Status"]); got != `503 true [goodgate; error=proxy_internal_response; details="shutting_down"]` {
		t.Errorf("got %s", got)
	}
}

func TestReread(t *testing.T) {
	file := filepath.Join(t.TempDir(), "goodgate.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const yaml = "listeners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"], retry: {attempts: %d}}}"
	write(fmt.Sprintf(yaml, 3))
	c, _, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, c, Options{Load: func() (*config.Config, []config.Warning, error) { return config.Load(file) }})
	write("listeners: 3")
	if _, err := g.gate.Reread("test"); err == nil {
		t.Error("a wrong file: no error")
	}
	if s := g.gate.ConfigState(); s.Error == "" || s.Failed.IsZero() || s.Reloads != 0 {
		t.Errorf("state after a failure: %+v", s)
	}
	write(fmt.Sprintf(yaml, 2))
	changes, err := g.gate.Reread("test")
	if err != nil || len(changes) != 1 {
		t.Errorf("got %v, %v", changes, err)
	}
	if s := g.gate.ConfigState(); s.Error != "" || !s.Failed.IsZero() || s.Reloads != 1 || s.Loaded.IsZero() {
		t.Errorf("state after a success: %+v", s)
	}
}

// TestReloadKeepsConnections counts those that an application gets.
func TestReloadKeepsConnections(t *testing.T) {
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	const yaml = "listeners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [%q], health: {type: none}, %s}}"
	g := start(t, parse(t, fmt.Sprintf(yaml, s.URL, "policy: first")), Options{})
	for _, step := range []struct {
		keys string
		want int64
	}{
		{"policy: first", 1},
		{"policy: p2c, retry: {attempts: 2}, breaker: {consecutive: 3}", 1},
		{"timeouts: {response_header: 5s}", 2},
	} {
		g.reload(t, parse(t, fmt.Sprintf(yaml, s.URL, step.keys)))
		if got := get(t, "http://"+g.addrs[0]); got != "200 x" {
			t.Fatal(got)
		}
		if got := opened.Load(); got != step.want {
			t.Errorf("after %s: %d connections, want %d", step.keys, got, step.want)
		}
	}
}
