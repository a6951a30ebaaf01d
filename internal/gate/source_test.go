package gate

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// With hold: 0s a request that came before the upstreams got no_upstream: the
// listener accepted before the sources had been read.
func TestUpstreamsAreKnownBeforeRequests(t *testing.T) {
	const pools = 100
	config := func(upstream string) string {
		var b strings.Builder
		b.WriteString("listeners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\nroutes: [{pool: app0}]\npools:\n")
		for i := range pools {
			fmt.Fprintf(&b, "  app%d: {upstreams: [%q, %q], health: {type: none}, hold: {for: 0s}}\n", i, upstream, "http://127.0.0.1:2")
		}
		return b.String()
	}
	check := func(when string, g *Gate, want string) {
		t.Helper()
		for _, p := range g.Pools() {
			if m := p.Members(); len(m) != 2 || m[0].Addr() != want {
				t.Errorf("%s: pool %s has %d upstreams, want %s and another", when, p.Name(), len(m), want)
			}
		}
	}
	g, err := New(parse(t, config("http://127.0.0.1:1")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := make(chan struct{})
	close(now)
	ended, ready, leave := make(chan error, 1), make(chan struct{}), make(chan struct{})
	go func() {
		ended <- g.Run(t.Context(), now, func([]string) { check("start", g, "127.0.0.1:1"); close(ready); <-leave })
	}()
	<-ready
	if _, err := g.Reload(parse(t, config("http://127.0.0.1:3"))); err != nil {
		t.Fatal(err)
	}
	check("reload", g, "127.0.0.1:3")
	close(leave)
	g.Shutdown(nil)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A name server that does not answer delays the start, and prevents it not.
func TestStartBoundsTheWaitForDNS(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var log logtest.Buffer
	start(t, parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: ["http://app.test:80"], dns: {resolver: %q, timeout: 1m}}}`, silent.LocalAddr())),
		Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	log.WaitFor(t, "upstream lookup is slow")
}
