package gate

import (
	"fmt"
	"net"
	"testing"
)

// TestCrowds: a listener at its limit of clients reports that, and stops when one has
// left.
func TestCrowds(t *testing.T) {
	c := parse(t, fmt.Sprintf("listeners: [{address: \"127.0.0.1:0\", name: web, max_connections: 1}]\nshutdown: {lame_duck: 0s}\npools: {app: {health: {type: none}, upstreams: [%q]}}\n", app(t, "a")))
	r := start(t, c, Options{})
	state := func() string { return fmt.Sprint(control{r.gate}.Crowds()) }
	if got := state(); got != "[]" {
		t.Errorf("before: %s", got)
	}
	conn, err := net.Dial("tcp", r.addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the listener to be full", func() bool {
		all := control{r.gate}.Crowds()
		return len(all) == 1 && all[0].Waits && all[0].Clients == 1 && all[0].Listener == "127.0.0.1:0" && !all[0].Since.IsZero()
	}, state)
	conn.Close()
	eventually(t, "room for another", func() bool { return !control{r.gate}.Crowds()[0].Waits }, state)
}
