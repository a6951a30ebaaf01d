package gate

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
	"github.com/goodgate/goodgate/internal/lab/dnstest"
	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// check and the start warn of a name that leads to goodgate's own listener, or that has
// several addresses of both families (linkerd/linkerd#1411, vercel-labs/portless#48,
// nginx/docker-nginx#374).
func TestDoubts(t *testing.T) {
	t.Parallel()
	at := func(name, addr, other string) discovery.Target {
		return discovery.Target{Name: name, Addr: addr, Other: other}
	}
	for _, tc := range []struct {
		listener, family string
		targets          []discovery.Target
		want             string // a word of each warning
	}{
		{":8080", "auto", []discovery.Target{at("app", "127.0.0.1:8080", "")}, "own"},
		{":8080", "auto", []discovery.Target{at("app", "10.99.0.1:8080", "[::1]:8080")}, "own"},
		{"[::1]:8080", "auto", []discovery.Target{at("app", "127.0.0.1:8080", "[::1]:8080")}, "own"},
		{":8080", "auto", []discovery.Target{at("", "127.0.0.1:8080", ""), at("", "unix:/run/a.sock", "")}, "own"},
		{"unix:/run/a.sock", "auto", []discovery.Target{at("", "unix:/run/a.sock", "")}, "own"},
		{":8080", "auto", []discovery.Target{at("app", "127.0.0.1:8081", "[::1]:8081")}, ""},
		{"127.0.0.1:8080", "auto", []discovery.Target{at("app", "127.0.0.2:8080", "")}, ""},
		{":8080", "auto", []discovery.Target{at("app", "10.0.0.1:80", ""), at("app", "10.0.0.2:80", ""), at("app", "[fd00::1]:80", "")}, "families"},
		{":8080", "each", []discovery.Target{at("app", "10.0.0.1:80", ""), at("app", "10.0.0.2:80", ""), at("app", "[fd00::1]:80", "")}, ""},
		{":8080", "auto", []discovery.Target{at("app", "10.0.0.1:80", ""), at("other", "[fd00::1]:80", "")}, ""},
		{":8080", "auto", []discovery.Target{at("", "10.0.0.1:80", ""), at("", "[fd00::1]:80", "")}, ""},
	} {
		got := doubts([]config.Listener{{Address: tc.listener}}, config.DNS{Family: tc.family}, tc.targets)
		switch word := map[string]string{"own": "own listener", "families": "IPv6 addresses (1)"}[tc.want]; {
		case tc.want == "" && len(got) > 0, tc.want != "" && (len(got) != 1 || !strings.Contains(got[0], word)):
			t.Errorf("%s, family %s, %v: got %q, want %q", tc.listener, tc.family, tc.targets, got, tc.want)
		}
	}
}

func TestDoubtsAreReported(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // its port is free
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	text := fmt.Sprintf(`
listeners: ["127.0.0.1:%[1]d"]
shutdown: {lame_duck: 0s, grace: 0s}
routes: [{name: other, match: {host: other.test}, pool: other}, {name: app, pool: app}]
pools:
  app: {upstreams: ["http://app.test.:%[1]d"], dns: {resolver: %[2]q, family: ipv4}}
  other: {upstreams: ["http://127.0.0.1:1"]}`, port, dnstest.Serve(t, dnstest.Loopback))
	c := parse(t, text)
	if got := Doubts(context.Background(), c); len(got) != 1 || !strings.Contains(got[0].String(), "pools.app.upstreams: app.test leads to 127.0.0.1:") {
		t.Errorf("check: got %q", got)
	}
	var log logtest.Buffer
	r := start(t, c, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if status, _, _ := lookAt(t, r.addrs[0]); status != 508 {
		t.Errorf("got %d, want 508", status)
	}
	if got := log.Line("own listener"); !slices.ContainsFunc(strings.Split(got, "\n"), func(l string) bool { return strings.Contains(l, "level=WARN") && strings.Contains(l, "app.test leads") }) {
		t.Errorf("the log has %q", got)
	}
}
