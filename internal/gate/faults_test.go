package gate

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// TestFaultsShow: the status says which routes have faults, clients of a listener meet
// them, and no upstream is blamed.
func TestFaultsShow(t *testing.T) {
	t.Parallel()
	upstream := app(t, strings.Repeat("x", 2000))
	records := make(chan proxy.Record, 100)
	c := parse(t, `
listeners: ["127.0.0.1:0"]
admin: "unix:`+t.TempDir()+`/s"
shutdown: {lame_duck: 0s, grace: 0s}
routes:
  - {name: cut, match: {path: /cut}, pool: app, faults: [{cut: 100B}]}
  - {name: fixed, match: {path: /fixed}, respond: {body: `+strings.Repeat("x", 500)+`}, faults: [{cut: 100B}]}
  - {name: abort, match: {path: /abort}, pool: app, faults: [{abort: 502}, {abort: 503, until: "2001-01-01T00:00:00Z"}]}
  - {name: over, pool: app, faults: [{abort: 503, until: "2001-01-01T00:00:00Z"}]}
pools: {app: {upstreams: [`+upstream+`], breaker: {consecutive: 1}}}
`)
	g := start(t, c, Options{Observe: []func(*proxy.Record){func(r *proxy.Record) { records <- *r }}})
	get := func(path string) (status int, body string, err error) {
		res, err := http.Get("http://" + g.addrs[0] + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res.StatusCode, string(b), err
	}
	for _, c := range []struct {
		path   string
		status int
		size   int
		broken bool
		reason reason.Reason
	}{
		{"/cut", 200, 100, true, reason.FaultInjected}, {"/cut", 200, 100, true, reason.FaultInjected}, {"/fixed", 200, 100, true, reason.FaultInjected},
		{"/abort", 502, -1, false, reason.FaultInjected}, {"/", 200, 2000, false, reason.None},
	} {
		status, body, err := get(c.path)
		r := <-records
		if status != c.status || c.size >= 0 && len(body) < c.size || c.broken && len(body) != c.size || (err != nil) != c.broken || r.Reason != c.reason {
			t.Errorf("%s: got %d, %d bytes, %v, %v", c.path, status, len(body), err, r.Reason)
		}
	}
	var s admin.Status
	if err := (admin.Client{Address: c.Admin.Address}).Get(t.Context(), "/v1/status", &s); err != nil {
		t.Fatal(err)
	}
	if want := []string{"cut", "fixed", "abort"}; !slices.Equal(s.Config.Faults, want) {
		t.Errorf("got %q, want %q", s.Config.Faults, want)
	}
	if len(s.Troubles) != 1 || s.Troubles[0].Situation != string(situation.Faults) || !strings.Contains(s.Troubles[0].Text, "cut, fixed, abort") {
		t.Errorf("got %+v", s.Troubles)
	}
	if u := s.Pools[0].Upstreams[0]; !u.Available || u.Breaker != "closed" {
		t.Errorf("the upstream is blamed: %+v", u)
	}
}
