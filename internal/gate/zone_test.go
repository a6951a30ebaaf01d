package gate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/balancer"
)

// TestZoneLive checks that a gate learns its zone, and another one after a reload, from
// the configuration and from a file.
func TestZoneLive(t *testing.T) {
	file := filepath.Join(t.TempDir(), "zone")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := func(zone string) string {
		var b strings.Builder
		b.WriteString("listeners: [\"127.0.0.1:0\"]\nshutdown: {lame_duck: 0s}\nzone: " + zone + "\npools: {app: {health: {type: none}, upstreams: [")
		for _, u := range []string{"1, zone: a", "2, zone: a", "3, zone: b", "4, zone: b"} {
			b.WriteString("{url: http://127.0.0.1:" + u + "}, ")
		}
		return b.String() + "]}}\n"
	}
	g, err := New(parse(t, config("{name: a, min_upstreams: 4}")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ended, ready := make(chan error, 1), make(chan struct{})
	now := make(chan struct{})
	close(now)
	go func() { ended <- g.Run(t.Context(), now, func([]string) { close(ready) }) }()
	<-ready
	check := func(when, own string, want balancer.ZoneState) {
		t.Helper()
		p := g.Pools()[0]
		if r := p.Zones(); r.Own != own || r.State != want {
			t.Errorf("%s: got %+v, want zone %q, %v", when, r, own, want)
		}
		for range 20 {
			if m := p.Pick(&balancer.Choice{}); want == balancer.ZonesOn && m.Zone() != own {
				t.Errorf("%s: got an upstream in %s", when, m.Zone())
			}
		}
	}
	reload := func(zone string) error {
		_, err := g.Reload(parse(t, config(zone)))
		return err
	}
	check("start", "a", balancer.ZonesOn)
	write("b\n")
	if err := reload("{file: " + file + ", min_upstreams: 4}"); err != nil {
		t.Fatal(err)
	}
	check("by a file", "b", balancer.ZonesOn)
	write("a\n")
	if err := reload("{file: " + file + ", min_upstreams: 4}"); err != nil {
		t.Fatal(err)
	}
	check("the file has changed", "a", balancer.ZonesOn)
	if err := reload("{file: " + file + "x}"); err == nil || !strings.Contains(err.Error(), "zone.file") {
		t.Errorf("no such file: got %v", err)
	}
	check("after that", "a", balancer.ZonesOn)
	if err := reload("a"); err != nil {
		t.Fatal(err)
	}
	check("with six at least", "a", balancer.ZonesFew)
	if err := reload(`""`); err != nil {
		t.Fatal(err)
	}
	check("without", "", balancer.ZonesOff)
	g.Shutdown(nil)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
