package gate

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/config"
)

// TestListenerLimits checks the effect of each of a listener's limits on clients.
func TestListenerLimits(t *testing.T) {
	c := parse(t, fmt.Sprintf(`
listeners:
  - address: "127.0.0.1:0"
    limits: {max_body: 5B, rates: [{requests: 2, per: 1h}]}
shutdown: {lame_duck: 0s, grace: 0s}
pools: {app: {upstreams: [%q]}}`, app(t, "a")))
	g := start(t, c, Options{})
	url := "http://" + g.addrs[0] + "/"
	var got []int
	for range 3 {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		got = append(got, res.StatusCode)
	}
	if want := "[200 200 429]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestConnectionsPerClient(t *testing.T) {
	c := parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0", connections_per_client: 2}]
shutdown: {lame_duck: 0s, grace: 0s}
pools: {app: {upstreams: [%q]}}`, app(t, "a")))
	g := start(t, c, Options{})
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for i := range 3 {
		c, err := net.Dial("tcp", g.addrs[0])
		if i == 2 && err != nil { // the reset may come before Dial returns
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	open[2].SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := open[2].Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the third connection of one client: got %v, want a reset", err)
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// TestReloadKeepsLimits: what limits have counted, at a listener, a route and a
// pool, is kept by a reload that changes something else, and not by one that
// changes them.
func TestReloadKeepsLimits(t *testing.T) {
	const limits = "limits: {rates: [{on: all, requests: %d, per: 1h}]}, "
	for name, form := range map[string]string{
		"a listener": `
listeners: [{address: "unix:%[1]s", %[4]s max_header: %[2]dKiB}]
pools: {app: {upstreams: [%[3]q]}}`,
		"a route": `
listeners: ["unix:%[1]s"]
routes: [{name: r%[2]d, %[4]s pool: app}]
pools: {app: {upstreams: [%[3]q]}}`,
		"a route among others": `
listeners: ["unix:%[1]s"]
routes: [{match: {path: /none%[2]d}, pool: app}, {%[4]s pool: app}]
pools: {app: {upstreams: [%[3]q]}}`,
		"a pool": `
listeners: ["unix:%[1]s"]
pools: {app: {upstreams: [%[3]q], %[4]s retry: {attempts: %[2]d}}}`,
	} {
		sock, one := filepath.Join(t.TempDir(), "s"), app(t, "one")
		with := func(n, requests int) *config.Config {
			return parse(t, fmt.Sprintf(form+"\nshutdown: {lame_duck: 0s, grace: 0s}", sock, n, one, fmt.Sprintf(limits, requests)))
		}
		g := start(t, with(2, 2), Options{})
		var got []string
		for _, next := range []*config.Config{nil, with(3, 2), with(4, 2), with(4, 1), with(5, 1)} {
			if next != nil {
				g.reload(t, next)
			}
			got = append(got, strings.Fields(dialUnix(t, sock).get(t))[0])
		}
		if want := "[200 200 429 200 429]"; fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
}
