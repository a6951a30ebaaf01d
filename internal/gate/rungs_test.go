package gate

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/logtest"
	"github.com/goodgate/goodgate/proxy"
)

// absorbed records the failures hidden from clients, and the means.
type absorbed struct {
	mu    sync.Mutex // protects lines
	lines []string
}

func (a *absorbed) observe(r *proxy.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lines = append(a.lines, fmt.Sprintf("%s %s by %s", r.Pool, r.Hidden, r.Absorbed))
}

func (a *absorbed) list() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lines
}

// A pool's fallback answers over the wire, and a route's comes before it.
func TestFallback(t *testing.T) {
	c := parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
routes:
  - {match: {path: /fixed}, pool: app, fallback: {respond: {status: 202, body: later}}}
  - {pool: app}
pools:
  app: {upstreams: ["http://127.0.0.1:1"], health: {type: none}, hold: {for: 0s}, fallback: spare}
  spare: {upstreams: [%q], health: {type: none}}`, app(t, "spare")))
	var seen absorbed
	g := start(t, c, Options{Observe: []func(*proxy.Record){seen.observe}})
	for path, want := range map[string]string{"/x": "200 spare /x", "/fixed": "202 later"} {
		if got := get(t, "http://"+g.addrs[0]+path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	for _, got := range seen.list() {
		if want := "app connect_refused by fallback"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A response from before is served again after the upstream has gone.
func TestStale(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "stale-if-error=60")
		fmt.Fprint(w, "page ", r.URL.Path)
	}))
	defer upstream.Close()
	c := parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
pools:
  app: {upstreams: [%q], health: {type: none}, hold: {for: 0s}, stale: {max_size: 1MiB}}`, upstream.URL))
	var seen absorbed
	g := start(t, c, Options{Observe: []func(*proxy.Record){seen.observe}})
	for range 2 {
		if got, want := get(t, "http://"+g.addrs[0]+"/x"), "200 page /x"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		upstream.Close()
	}
	if got := get(t, "http://"+g.addrs[0]+"/y"); !strings.HasPrefix(got, "50") {
		t.Errorf("what was never answered: got %q, want an error", got)
	}
	if got := seen.list(); !strings.HasSuffix(got[1], " by stale") {
		t.Errorf("got %q, want the second by stale", got)
	}
}

// A probe over the wire learns that an upstream drains. Then the upstream gets no more
// requests.
func TestDrainStatus(t *testing.T) {
	var ready atomic.Int32
	ready.Store(200)
	leaving := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" {
			w.WriteHeader(int(ready.Load()))
		}
		fmt.Fprint(w, "leaving")
	}))
	defer leaving.Close()
	c := parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
pools:
  app:
    policy: first
    slow_start: 0s
    health: {path: /ready, drain_status: 503, interval: 20ms, fast_interval: 20ms, fall: 100}
    upstreams: [%q, %q]`, leaving.URL, app(t, "staying")))
	var log logtest.Buffer
	g := start(t, c, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	expect := func(when, want string) {
		t.Helper()
		if got := get(t, "http://"+g.addrs[0]+"/"); got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	log.WaitFor(t, "left=2")
	expect("before", "200 leaving")
	ready.Store(503)
	log.WaitFor(t, `msg="upstream unavailable" pool=app upstream=`+leaving.Listener.Addr().String()+" left=1 probes=draining")
	log.WaitFor(t, `msg="upstream drains"`)
	expect("while it drains", "200 staying /")
	log.Take()
	ready.Store(200)
	log.WaitFor(t, `msg="probes pass"`)
	expect("afterwards", "200 leaving")
}
