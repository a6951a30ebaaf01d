package gate

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/lab/otlptest"
	"github.com/goodgate/goodgate/internal/logging"
	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/internal/webhook"
)

// spans is an endpoint for traces that counts the spans of requests it got.
type spans struct {
	*httptest.Server
	n atomic.Int64
}

func startSpans(t *testing.T) *spans {
	s := &spans{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		call := otlptest.Read(t, r)
		for _, rs := range call.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, span := range ss.Spans {
					// Others' health checks come when a port had been theirs.
					if !strings.HasPrefix(span.Name, "OPTIONS ") {
						s.n.Add(1)
					}
				}
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// load sends requests as fast as possible until it is stopped.
type load struct {
	asked, failed atomic.Int64
	done          chan struct{}
	wg            sync.WaitGroup
}

func startLoad(t *testing.T, url string, header ...string) *load {
	l := &load{done: make(chan struct{})}
	for range 4 {
		l.wg.Go(func() {
			for {
				select {
				case <-l.done:
					return
				default:
				}
				r, _ := http.NewRequest("GET", url, nil)
				for i := 0; i < len(header); i += 2 {
					r.Header.Set(header[i], header[i+1])
				}
				res, err := http.DefaultClient.Do(r)
				l.asked.Add(1)
				if err != nil {
					l.failed.Add(1)
					t.Error(err)
					return
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode != 200 {
					l.failed.Add(1)
				}
			}
		})
	}
	return l
}

// more waits for n more requests.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	seen := l.asked.Load()
	eventually(t, "more requests", func() bool { return l.asked.Load() >= seen+n }, func() string { return "" })
}

func (l *load) stop() {
	close(l.done)
	l.wg.Wait()
}

// openLog does the same as the program: it opens the log, and returns a function that
// opens it again.
func openLog(t *testing.T, c *config.Config) (*logging.Log, Options) {
	t.Helper()
	open := func(c *config.Config) logging.Options {
		o, err := assemble.Log(c)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	l, err := logging.Open(open(c))
	if err != nil {
		t.Fatal(err)
	}
	return l, Options{Logger: l.Logger, Access: l.Access, Relog: func(c *config.Config) (*logging.Next, error) { return l.Prepare(open(c)) }}
}

// TestLogAndTracingLive: under load, reloads move the log between files and
// formats, and the traces between endpoints, and no record and no span is lost.
func TestLogAndTracingLive(t *testing.T) {
	dir := t.TempDir()
	one, two := startSpans(t), startSpans(t)
	of := func(i int) *config.Config {
		return parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
log: {output: %s, format: %s, buffer: 64MiB}
tracing: {endpoint: %q, sample: 100%%}
pools: {app: {upstreams: ["http://127.0.0.1:1"], health: {type: none}}}
routes: [{match: {path: /%d}, pool: app}, {respond: {status: 200}}]`,
			filepath.Join(dir, fmt.Sprint("log", i%3)), []string{"json", "text", "combined"}[i%3], []string{one.URL, two.URL}[i%2], i))
	}
	log, o := openLog(t, of(0))
	g := start(t, of(0), o)
	asking := startLoad(t, "http://"+g.addrs[0]+"/asked")
	for i := range 12 {
		asking.more(t, 30)
		g.reload(t, of(i+1))
	}
	asking.more(t, 30)
	asking.stop()
	g.stop()
	if err := <-g.ended; err != nil {
		t.Error(err)
	}
	g.ended <- nil // for start
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	var logged int64
	for i, form := range []string{`"path":"/asked"`, "path=/asked", "GET /asked HTTP/1.1"} {
		raw, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("log", i)))
		if err != nil {
			t.Fatal(err)
		}
		n := bytes.Count(raw, []byte(form))
		if all := bytes.Count(raw, []byte("/asked")); all != n || n == 0 {
			t.Errorf("log%d: %d records, of which %d have its form", i, all, n)
		}
		logged += int64(n)
	}
	if n := asking.asked.Load(); logged != n || log.Dropped() != 0 {
		t.Errorf("%d records of %d requests, %d dropped", logged, n, log.Dropped())
	}
	if n := one.n.Load() + two.n.Load(); n != asking.asked.Load() || one.n.Load() == 0 || two.n.Load() == 0 {
		t.Errorf("%d spans at one and %d at the other, of %d requests", one.n.Load(), two.n.Load(), asking.asked.Load())
	}
	if asking.failed.Load() > 0 {
		t.Errorf("%d requests failed", asking.failed.Load())
	}
}

// TestTracingOff: a request in flight while tracing is turned off is still traced.
func TestTracingOff(t *testing.T) {
	began, answer := make(chan bool, 1), make(chan bool)
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		began <- true
		<-answer
	}))
	defer app.Close()
	endpoint := startSpans(t)
	const yaml = `
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
tracing: {endpoint: %q, sample: 100%%}
pools: {app: {upstreams: [%q], health: {type: none}}}`
	g := start(t, parse(t, fmt.Sprintf(yaml, endpoint.URL, app.URL)), Options{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if res, err := http.Get("http://" + g.addrs[0]); err != nil || res.StatusCode != 200 {
			t.Errorf("%v, %v", res, err)
		}
	})
	<-began
	g.reload(t, parse(t, fmt.Sprintf(yaml, "", app.URL)))
	close(answer)
	wg.Wait()
	g.stop()
	<-g.ended
	g.ended <- nil // for start
	if n := endpoint.n.Load(); n != 2 {
		t.Errorf("got %d spans, want that of the request and that of its attempt", n)
	}
}

// TestEventsLive: a webhook comes, moves and goes without a restart.
func TestEventsLive(t *testing.T) {
	app := startApp(t, "127.0.0.1:0")
	type told struct {
		at    string
		event string
	}
	got := make(chan told, 64)
	hook := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if want := webhook.Sign("0123456789abcdef-"+name, signedAt(t, r), body); r.Header.Get("Goodgate-Signature") != want {
				t.Errorf("%s: signed by another secret", name)
			}
			kind := "reload_failed"
			if bytes.Contains(body, []byte("upstream_down")) {
				kind = "upstream_down"
			}
			got <- told{name, kind}
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	urls := map[string]string{"one": hook("one"), "two": hook("two"), "none": ""}
	of := func(name string) *config.Config {
		secret := "0123456789abcdef-" + name
		return parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
events: {webhook: {url: %q, secret: %q, on: [reload, upstream]}}
pools: {app: {upstreams: [%q], health: {path: /, interval: 20ms, fast_interval: 20ms, rise: 1, fall: 1}}}`, urls[name], secret, "http://"+app.Addr))
	}
	m := metrics.New(metrics.Build{})
	g := start(t, of("none"), Options{Metrics: m})
	fail := func() { g.gate.events.reloadFailed("a test", os.ErrNotExist) }
	want := func(at, event string) {
		t.Helper()
		if e := <-got; e != (told{at, event}) {
			t.Fatalf("got %+v, want %s at %s", e, event, at)
		}
	}
	fail() // no webhook, no event
	g.reload(t, of("one"))
	fail()
	want("one", "reload_failed")
	g.reload(t, of("two"))
	fail()
	want("two", "reload_failed")
	g.reload(t, of("none"))
	fail() // no webhook, no event
	g.reload(t, of("one"))
	eventually(t, "the upstream", func() bool { m := g.gate.Pools()[0].Members(); return len(m) == 1 && m[0].Available() }, func() string { return "" })
	app.Close()
	want("one", "upstream_down")
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if !strings.Contains(w.Body.String(), "goodgate_webhook_events_lost_total 0") {
		t.Error("the lost events are not counted")
	}
}

// signedAt returns the time that a signature names.
func signedAt(t *testing.T, r *http.Request) (at time.Time) {
	var unix int64
	if _, err := fmt.Sscanf(r.Header.Get("Goodgate-Signature"), "t=%d,", &unix); err != nil {
		t.Error(err)
	}
	return time.Unix(unix, 0)
}

// TestAdminLive: the API moves between sockets and tokens during requests, and those to
// the old listener are answered. /metrics moves with it.
func TestAdminLive(t *testing.T) {
	dir := t.TempDir()
	of := func(adminYAML string) *config.Config {
		return parse(t, fmt.Sprintf(`
listeners: ["unix:%s/l"]
admin: %s
shutdown: {lame_duck: 100ms}
pools: {app: {upstreams: ["http://127.0.0.1:1"], health: {type: none}}}`, dir, adminYAML))
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	const first, second = "0123456789abcdef", "fedcba9876543210"
	g := start(t, of(`""`), Options{Metrics: metrics.New(metrics.Build{})})
	g.reload(t, of(fmt.Sprintf("{address: %q, token: %s}", address, first)))
	asking := startLoad(t, "http://"+address+"/metrics", "Authorization", "Bearer "+first)
	for i := range 10 {
		asking.more(t, 5)
		g.reload(t, of(fmt.Sprintf("{address: %q, token: %s, hosts: [h%d.example]}", address, first, i)))
	}
	asking.more(t, 5)
	asking.stop()
	if asking.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", asking.failed.Load(), asking.asked.Load())
	}
	g.reload(t, of(fmt.Sprintf("{address: %q, token: %s}", address, second)))
	var s admin.Status
	if err := (admin.Client{Address: address, Token: first}).Get(t.Context(), "/v1/status", &s); err == nil {
		t.Error("the old token is still taken")
	}
	if err := (admin.Client{Address: address, Token: second}).Get(t.Context(), "/v1/status", &s); err != nil {
		t.Error(err)
	}
}

// TestOperatorAllOrNothing: if the last listener or file that a reload opens is not
// available, the reload changes nothing else either.
func TestOperatorAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	endpoint := startSpans(t)
	file := filepath.Join(dir, "log")
	const yaml = `
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
admin: %q
log: {output: %s}
tracing: {endpoint: %q, sample: 100%%}
events: {webhook: {url: %q}}
pools: {app: {upstreams: ["http://127.0.0.1:1"], health: {type: none}}}
routes: [{respond: {status: %d}}]`
	before := parse(t, fmt.Sprintf(yaml, "unix:"+dir+"/a", file, "", "", 200))
	_, o := openLog(t, before)
	g := start(t, before, o)
	for what, next := range map[string]string{
		"admin.address": fmt.Sprintf(yaml, taken.Addr(), file+"2", endpoint.URL, endpoint.URL, 404),
		"log.output":    fmt.Sprintf(yaml, "unix:"+dir+"/b", file+"/below", endpoint.URL, endpoint.URL, 404),
	} {
		if _, err := g.gate.Reload(parse(t, next)); err == nil || !strings.Contains(err.Error(), what) {
			t.Fatalf("got %v, want an error about %s", err, what)
		}
		res, err := http.Get("http://" + g.addrs[0])
		if err != nil || res.StatusCode != 200 {
			t.Errorf("%s: the new routes are in use: %v, %v", what, res, err)
		}
		var s admin.Status
		if err := (admin.Client{Address: "unix:" + dir + "/a"}).Get(t.Context(), "/v1/status", &s); err != nil {
			t.Errorf("%s: the API is gone: %v", what, err)
		}
		now := g.gate.current.Load()
		if now.traces != nil || g.gate.events.to.Load() != nil || now.config != before {
			t.Errorf("%s: a part of the new configuration is in use", what)
		}
		if _, err := os.Lstat(dir + "/b"); err == nil {
			t.Errorf("%s: the socket of the admin listener that is not used is there", what)
		}
	}
}

// TestReloadReportsFiles: a reload that changes only the content of files is logged as
// such.
func TestReloadReportsFiles(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.html")
	write := func(text string) {
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	c := func() *config.Config {
		return parse(t, fmt.Sprintf("listeners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\nerrors: {html: %s}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}", page))
	}
	g := start(t, c(), Options{})
	if got := g.reload(t, c()); len(got) != 0 {
		t.Errorf("nothing has changed, and a reload says %q", got)
	}
	write("two")
	if got, want := g.reload(t, c()), "errors.html: the content of "+page+" has changed"; len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestAdminAnswersRequestsInFlight: a request in flight on an admin listener that moves
// is answered.
func TestAdminAnswersRequestsInFlight(t *testing.T) {
	dir := t.TempDir()
	of := func(name string) *config.Config {
		return parse(t, fmt.Sprintf(`
listeners: ["unix:%[1]s/l"]
admin: "unix:%[1]s/%[2]s"
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: ["http://127.0.0.1:1"], health: {type: none}}}`, dir, name))
	}
	asked, answer := make(chan bool), make(chan bool)
	g := start(t, of("one"), Options{Load: func() (*config.Config, []config.Warning, error) {
		close(asked)
		<-answer
		return of("two"), nil, nil
	}})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		var done admin.Reloaded
		if err := (admin.Client{Address: "unix:" + dir + "/one"}).Post(t.Context(), "/v1/reload", nil, &done); err != nil {
			t.Error(err)
		}
	})
	<-asked
	g.reload(t, of("two"))
	var s admin.Status
	if err := (admin.Client{Address: "unix:" + dir + "/two"}).Get(t.Context(), "/v1/status", &s); err != nil {
		t.Error(err)
	}
	close(answer)
}
