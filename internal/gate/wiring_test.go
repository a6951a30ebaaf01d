package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/lab/certtest"
)

func TestMatchIsLogged(t *testing.T) {
	for want, m := range map[string]config.Match{
		"every request":                                   {Scheme: "any"},
		"shop.example/api/*":                              {Scheme: "any", Host: []string{"shop.example"}, Path: "/api/*"},
		"a.example, *.b.example; /x":                      {Scheme: "any", Host: []string{"a.example", "*.b.example"}, Path: "/x"},
		"scheme https; path_regexp ^/v[12]/":              {Scheme: "https", PathRegexp: "^/v[12]/"},
		"methods GET, POST; header X-Debug; header X-Key": {Scheme: "any", Methods: []string{"GET", "POST"}, Headers: config.Headers{"X-Key": "secret", "X-Debug": "*"}},
		"listener inside; client 10.0.0.0/8":              {Scheme: "any", Listener: []string{"inside"}, Client: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	} {
		if got := matchTold(m); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestWiring: the API reports the configured listeners and routes.
func TestWiring(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	end := time.Now().Add(10 * 24 * time.Hour).Truncate(time.Second).UTC()
	cert, key := ca.Files(dir, "site", ca.IssueUntil(end, "shop.example"))
	g := start(t, parse(t, fmt.Sprintf(`
listeners:
  - {address: "127.0.0.1:0", name: outside, tls: {certificates: [{cert: %q, key: %q}]}}
  - unix:%s/inside.sock
shutdown: {lame_duck: 0s}
routes:
  - {name: old, match: {path: /old}, redirect: {to: /new}}
  - {name: no, match: {path: /no}, respond: {status: 410}}
  - {name: rest, pool: app}
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}
`, cert, key, dir)), Options{})
	w := g.gate.wiring()
	want := []admin.Listener{
		{Address: g.addrs[0], Name: "outside", Protocols: []string{"TLS", "HTTP/1.1", "HTTP/2"}, Certificates: []admin.Certificate{{File: cert, Until: end}}},
		{Address: g.addrs[1], Protocols: []string{"HTTP/1.1"}},
	}
	if !reflect.DeepEqual(w.Listeners, want) {
		t.Errorf("listeners %+v, want %+v", w.Listeners, want)
	}
	var to []string
	for _, r := range w.Routes {
		to = append(to, r.Name+" "+r.Match+" -> "+r.To)
	}
	if want := []string{"old /old -> redirect 308", "no /no -> answer 410", "rest every request -> pool app"}; !slices.Equal(to, want) {
		t.Errorf("got %q, want %q", to, want)
	}
}

// TestTimeline: reloads are in the timeline, whether they succeed or not.
func TestTimeline(t *testing.T) {
	socket := "unix:" + filepath.Join(t.TempDir(), "admin.sock")
	c := parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
admin: {address: %q}
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: ["http://127.0.0.1:1"]}}
`, socket))
	broken := errors.New("line 3 is wrong")
	g := start(t, c, Options{Load: func() (*config.Config, []config.Warning, error) { return c, nil, broken }})
	if _, err := g.gate.Reread("SIGHUP"); !errors.Is(err, broken) {
		t.Fatalf("got %v, want %v", err, broken)
	}
	broken = nil
	if _, err := g.gate.Reread("SIGHUP"); err != nil {
		t.Fatal(err)
	}
	var events []admin.Event
	if err := (&admin.Client{Address: socket}).Get(t.Context(), "/v1/timeline", &events); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range slices.Backward(events) {
		if e.Pool == "" {
			got = append(got, e.Kind+" "+e.Text)
		}
	}
	if want := []string{"started goodgate", "config_failed line 3 is wrong", "reload no change (SIGHUP)"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
