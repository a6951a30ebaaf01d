package gate

import (
	"bufio"
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

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/situation"
)

// word is the first trouble that an operator should see. The zero value is none.
type word struct {
	level    string
	id       situation.ID
	over     bool
	headline string
	cause    string // a part of the text
	do       string // a part of the next step
}

// scene is a situation and how it comes about, with a gate and upstreams that run.
type scene struct {
	name string
	want word
	play func(*stage)
}

// TestSituations creates each situation, and wants it to be the first trouble, in the
// right words. Without a fault there must be no trouble.
func TestSituations(t *testing.T) {
	t.Parallel()
	seen := map[situation.ID]bool{}
	for _, sc := range sceneTable() {
		seen[sc.want.id] = true
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			s := &stage{t: t}
			sc.play(s)
			if sc.want == (word{}) {
				if all := s.status().Troubles; len(all) > 0 {
					t.Errorf("nothing is wrong, and the operator is told %+v", all)
				}
				return
			}
			s.expect(sc.want)
		})
	}
	for _, row := range situation.All() {
		if _, excused := notPlayed[row.ID]; row.Level > situation.Silent && !seen[row.ID] && !excused {
			t.Errorf("no scene for %s", row.ID)
		}
	}
}

// notPlayed are the situations that a test cannot create in its own process, with the
// tests that cover them.
var notPlayed = map[situation.ID]string{
	situation.RolledBack:      "TestRollback",
	situation.Faults:          "TestFaultsShow",
	situation.Paused:          "TestPauseByAPI",
	situation.Maintenance:     "TestMaintenanceSurvives",
	situation.OutOfFiles:      "admin: TestOwnTroubles",
	situation.OwnCertMissing:  "admin: TestCertificates",
	situation.Internal:        "admin: TestPoolTroubles",
	situation.StreamRefused:   "situation: TestOfAttempt",
	situation.HandshakeFails:  "situation: TestOfAttempt",
	situation.CertNotYet:      "situation: TestOfAttempt",
	situation.CertificateBad:  "situation: TestOfAttempt",
	situation.NameUnknown:     "situation: TestOfAttempt", // of one upstream: with lookups by goodgate itself it is the pool's
	situation.ResolverSilent:  "situation: TestOfAttempt",
	situation.SocketForbidden: "situation: TestOfAttempt",
	situation.NoLocalPort:     "situation: TestOfAttempt",
	situation.Unreachable:     "situation: TestOfAttempt",
	situation.ConnectTimeout:  "situation: TestOfAttempt",
	situation.BreakerOpen:     "admin: TestTroubles", // while its failures are in the last minute they are reported instead
	situation.Trial:           "admin: TestTroubles",
	situation.OwnLimit:        "admin: TestPoolTroubles",
	situation.ClientsLeave:    "admin: TestClientsLeave",
	situation.ClientsWait:     "gate: TestCrowds, admin: TestClientsWait",
	situation.RetriesStopped:  "admin: TestCauseBeforeConsequence", // its cause is reported first
	situation.EarlyTrial:      "situation: TestOfState",
	situation.CheckFails:      "situation: TestOfState",
	situation.HoldExpired:     "admin: TestPoolTroubles",
	situation.NoUpstream:      "admin: TestPoolTroubles",
	situation.FleetAlone:      "gate: TestFleet",
	situation.FleetStrangers:  "admin: TestFleetTroubles",
	situation.FleetDiffers:    "admin: TestFleetTroubles",
	situation.FleetClock:      "admin: TestFleetTroubles",
}

// stage is a gate with its surroundings.
type stage struct {
	t   *testing.T
	g   *running
	api admin.Client
	url string
}

// run starts a gate. Its file has a listener and an admin listener in addition to the
// given text.
func (s *stage) run(yaml string, args ...any) {
	s.t.Helper()
	s.runWith("listeners: [\"127.0.0.1:0\"]\n"+fmt.Sprintf(yaml, args...), Options{})
}

func (s *stage) runWith(yaml string, o Options) {
	s.t.Helper()
	dir, err := os.MkdirTemp("", "gg") // a socket's path has a limit
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { os.RemoveAll(dir) })
	s.api = admin.Client{Address: "unix:" + filepath.Join(dir, "s")}
	s.g = start(s.t, parse(s.t, fmt.Sprintf("admin: {address: %q}\nshutdown: {lame_duck: 0s, grace: 0s}\n", s.api.Address)+yaml), o)
	s.url = "http://" + s.g.addrs[0]
}

func (s *stage) status() *admin.Status {
	s.t.Helper()
	var all admin.Status
	if err := s.api.Get(s.t.Context(), "/v1/status", &all); err != nil {
		s.t.Fatal(err)
	}
	return &all
}

// expect waits for the trouble that the operator should see.
func (s *stage) expect(want word) {
	s.t.Helper()
	var all []admin.Trouble
	eventually(s.t, string(want.id), func() bool {
		all = s.status().Troubles
		return len(all) > 0 && all[0].Situation == string(want.id) && all[0].Level == want.level && all[0].Over == want.over
	}, func() string { return fmt.Sprintf("%+v", all) })
	first := all[0]
	if first.Headline != want.headline || !strings.Contains(first.Text, want.cause) || want.cause == "" || !strings.Contains(first.Do, want.do) {
		s.t.Errorf("told %+v\nwant %+v", first, want)
	}
	for _, text := range []string{first.Headline + ".", first.Text, first.Do} {
		wellFormed(s.t, text)
	}
}

// wellFormed checks that texts are sentences: no unfilled gap of the table, and no two
// full stops.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	for _, bad := range []string{"{", "..", ". after", ": .", "  ", "%!"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q in %q", bad, text)
		}
	}
	if text != "" && !strings.HasSuffix(text, ".") {
		t.Errorf("%q has no full stop", text)
	}
}

// get sends n requests, one after the other, and returns the last status.
func (s *stage) get(n int) (status int) { return s.send("GET", "/", n) }

func (s *stage) send(method, path string, n int) (status int) {
	s.t.Helper()
	for range n {
		r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			status = 0 // the answer broke off
			continue
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		status = res.StatusCode
	}
	return status
}

// together sends n concurrent requests, and does not wait for them until the test ends.
func (s *stage) together(n int) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() { s.send("GET", "/", 1) })
	}
	s.t.Cleanup(all.Wait)
}

// until waits for something in the status.
func (s *stage) until(what string, ok func(*admin.Status) bool) {
	s.t.Helper()
	var all *admin.Status
	eventually(s.t, what, func() bool { all = s.status(); return ok(all) }, func() string { return fmt.Sprintf("%+v", all) })
}

// available waits until a number of upstreams of the first pool are available.
func (s *stage) available(n int) {
	s.t.Helper()
	s.until(fmt.Sprint(n, " upstreams"), func(a *admin.Status) bool { return len(a.Pools[0].Upstreams) > 0 && a.Pools[0].Available == n })
}

// order gives the operator's word on an upstream.
func (s *stage) order(upstream, state string) {
	s.t.Helper()
	var done admin.Changed
	if err := s.api.Post(s.t.Context(), "/v1/upstreams", admin.Order{Upstream: strings.TrimPrefix(upstream, "http://"), State: state}, &done); err != nil {
		s.t.Fatal(err)
	}
}

// serve starts an application, and returns its URL.
func (s *stage) serve(h http.HandlerFunc) string {
	server := httptest.NewServer(h)
	s.t.Cleanup(server.Close)
	return server.URL
}

// fine answers 200.
func (s *stage) fine() string { return s.serve(func(http.ResponseWriter, *http.Request) {}) }

// failing answers with a status.
func (s *stage) failing(status int) string {
	return s.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

// dead returns a URL where nothing listens.
func (s *stage) dead() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// raw starts what handles each request of each connection by itself.
func (s *stage) raw(each func(c net.Conn, n int)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	var conns sync.WaitGroup
	var open sync.Map
	var ended atomic.Bool
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, nil)
			if ended.Load() {
				c.Close()
			}
			conns.Go(func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for n := 0; ; n++ {
					if r, err := http.ReadRequest(in); err != nil {
						return
					} else if _, err := io.Copy(io.Discard, r.Body); err != nil {
						return
					}
					each(c, n)
				}
			})
		}
	})
	s.t.Cleanup(func() {
		ended.Store(true)
		l.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		conns.Wait()
	})
	return "http://" + l.Addr().String()
}

// broken is a configuration that cannot be loaded.
func broken() (*config.Config, []config.Warning, error) {
	return nil, nil, fmt.Errorf("goodgate.yaml:7:3: unknown key")
}
