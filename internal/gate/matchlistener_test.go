package gate

import (
	"testing"
)

// A route with a listener is for those who came to it, by its name or by its
// address, and a reload may move the name to another one, also for connections that are open.
func TestRoutesByListener(t *testing.T) {
	const text = `
routes:
  - {match: {listener: inside}, respond: {body: inside}}
  - {match: {listener: [unix, outside]}, respond: {body: outside}}
`
	dir := t.TempDir()
	inside := `listeners: [{address: "127.0.0.1:0", name: outside}, {address: "localhost:0", name: inside}, {address: "unix:` + dir + `/a", name: unix}]`
	g := start(t, parse(t, inside+text), Options{})
	want := func(first, second string) {
		t.Helper()
		for i, want := range []string{first, second} {
			if got := get(t, "http://"+g.addrs[i]+"/"); got != "200 "+want {
				t.Errorf("listener %d: got %q, want %q", i, got, want)
			}
		}
	}
	want("outside", "inside")
	swapped := `listeners: [{address: "127.0.0.1:0", name: inside}, {address: "localhost:0", name: outside}, {address: "unix:` + dir + `/a", name: unix}]`
	g.reload(t, parse(t, swapped+text))
	want("inside", "outside")
}
