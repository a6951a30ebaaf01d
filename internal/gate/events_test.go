package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/webhook"
)

// TestWebhook: a server that fails at first receives, in order, the events of an upstream
// that goes and returns, of its pool, and of a wrong configuration.
func TestWebhook(t *testing.T) {
	t.Parallel()
	app := startApp(t, "127.0.0.1:0")
	got := make(chan webhook.Event, 16)
	var tries atomic.Int32
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var e webhook.Event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		got <- e
	}))
	defer hook.Close()
	c := parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s, grace: 0s}
events: {webhook: {url: %q}}
pools: {app: {upstreams: [%q], health: {path: /, interval: 20ms, fast_interval: 20ms, rise: 1, fall: 1}}}`, hook.URL, "http://"+app.Addr))
	g, err := New(c, Options{Load: func() (*config.Config, []config.Warning, error) { return nil, nil, errors.New("line 7 is wrong") }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	ready := make(chan bool)
	wg.Go(func() { g.Run(ctx, nil, func([]string) { close(ready) }) })
	defer wg.Wait()
	defer stop()
	<-ready
	want := func(kind, part string) {
		t.Helper()
		if e := <-got; e.Type != kind || !strings.Contains(e.Text, part) {
			t.Fatalf("got %+v, want %s with %q", e, kind, part)
		}
	}
	<-g.current.Load().pools["app"].usable
	app.Close()
	want("upstream_down", "available. The upstream refuses connections. Nothing listens on ")
	want("pool_below_floor", "0 of 1 upstreams are available. The upstream refuses connections (1).")
	startApp(t, app.Addr)
	want("upstream_up", "is available again")
	if _, err := g.Reread("a test"); err == nil {
		t.Error("the configuration was taken")
	}
	want("reload_failed", "(a test); the last good one stays in use: line 7 is wrong")
}

// startApp serves an empty answer at an address, which it returns with its port.
func startApp(t *testing.T, address string) *http.Server {
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Addr: l.Addr().String(), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return s
}

// TestEdge: a momentary condition causes no event.
func TestEdge(t *testing.T) {
	for _, test := range []struct{ seen, want string }{
		{"110111", ".....+"},
		{"111000000000" + "0" + "0", "..+.........-."},
		{"1110000000001", "..+.........." + ""},
		{"0000", "...."},
	} {
		var e edge
		var got strings.Builder
		for _, c := range test.seen {
			mark := "."
			if e.flips(c == '1') {
				mark = map[bool]string{true: "+", false: "-"}[e.on]
			}
			got.WriteString(mark)
		}
		if got.String() != test.want {
			t.Errorf("%s: got %s, want %s", test.seen, got.String(), test.want)
		}
	}
}

// TestNoWebhook: callers may send events without a webhook.
func TestNoWebhook(t *testing.T) {
	e := newEvents(&config.Config{}, Options{}, nil)
	e.reloadFailed("a test", errors.New("x"))
	if e.sender != nil {
		t.Error("a sender without a webhook")
	}
}
