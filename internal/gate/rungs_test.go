package gate

import (
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// absorbed keeps what was hidden from clients, and how.
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
  app: {upstreams: ["http://127.0.0.1:1"], hold: {for: 0s}, fallback: spare}
  spare: {upstreams: [%q]}`, app(t, "spare")))
	var seen absorbed
	g := start(t, c, Options{Observe: []func(*proxy.Record){seen.observe}})
	for path, want := range map[string]string{"/x": "200 spare /x", "/fixed": "202 later"} {
		if got := get(t, "http://"+g.addrs[0]+path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	for _, got := range seen.list() {
		if want := "app no_upstream by fallback"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFallbackArrives(t *testing.T) {
	p := &pool{Pool: new(proxy.Pool)}
	r := &config.Respond{Status: 503, Body: "b", Headers: config.Headers{"X": "y"}}
	for _, test := range []struct {
		c    *config.Fallback
		want *proxy.Fallback
	}{
		{nil, nil},
		{&config.Fallback{Pool: "spare", On: []string{"unavailable", "status"}}, &proxy.Fallback{Pool: p.Pool, On: proxy.Unavailable | proxy.BadStatus}},
		{&config.Fallback{Respond: r, On: []string{"connect", "response"}},
			&proxy.Fallback{Respond: &proxy.Respond{Status: 503, Body: "b", Headers: r.Headers}, On: proxy.Unconnected | proxy.Unanswered}},
	} {
		if got := newFallback(test.c, map[string]*pool{"spare": p}); !reflect.DeepEqual(got, test.want) {
			t.Errorf("got %+v, want %+v", got, test.want)
		}
	}
}
