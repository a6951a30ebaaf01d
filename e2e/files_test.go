package e2e_test

import (
	"fmt"
	"net"
	"testing"
)

// TestFilesExhausted holds that goodgate lives through a want of file
// descriptors, says what to do, and does not blame an upstream for it.
func TestFilesExhausted(t *testing.T) {
	a := startApp(t, "go", "a")
	file := writeFile(t, t.TempDir(), "goodgate.yaml", fmt.Sprintf(`
listeners: ["${LISTEN}"]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, a.url()))
	g := &gate{address: freeAddress(t)}
	g.process = startProcess(t, "goodgate", []string{"LISTEN=" + g.address}, "sh", "-c",
		`ulimit -n 40; exec "$0" run --config "$1"`, built.goodgate, file)
	g.ready("tcp", g.address)
	first, err := dial(g.address)
	if err != nil {
		t.Fatal(err)
	}
	var taken []net.Conn
	for range 60 {
		c, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, c)
	}
	g.waitMessage("no file descriptor is left")
	got, err := first.do(request(t, "GET", "/echo"))
	if err != nil {
		t.Fatal(err)
	}
	if got.StatusCode != 503 {
		t.Errorf("without a descriptor for an upstream: got %d, want 503", got.StatusCode)
	}
	for _, c := range taken {
		c.Close()
	}
	waitFor(t, "requests to go through again", func() bool { return ask(t, g.address, "GET", "/echo").StatusCode == 200 })
	g.waitLog("the request that was refused", func(e entry) bool { return e.Reason == "overloaded" })
	for _, e := range g.log() {
		if e.Msg == "upstream unavailable" {
			t.Errorf("an upstream was blamed: %+v", e)
		}
	}
}
