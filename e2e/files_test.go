package e2e_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// fewFiles starts goodgate with 40 file descriptors, sends a request, opens 60 idle
// connections, and returns the connection of the request.
func fewFiles(t *testing.T, listener, told string) (g *gate, first *conn, taken []net.Conn) {
	t.Helper()
	a := startApp(t, "go", "a")
	file := writeFile(t, t.TempDir(), "goodgate.yaml", fmt.Sprintf(`
listeners: [{address: "${LISTEN}"%s}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: [%q]}}`, listener, a.url()))
	g = &gate{address: freeAddress(t)}
	g.process = startProcess(t, "goodgate", []string{"LISTEN=" + g.address}, "sh", "-c",
		`ulimit -n 40; exec "$0" run --config "$1"`, built.goodgate, file)
	g.ready("tcp", g.address)
	first, err := dial(g.address)
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		c, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, c)
	}
	g.waitMessage(told)
	return g, first, taken
}

// TestFilesKept checks that idle clients cannot take the file descriptors needed for
// upstream connections, and that this is logged once.
func TestFilesKept(t *testing.T) {
	g, first, taken := fewFiles(t, "", "clients wait to be accepted")
	got, err := first.do(request(t, "GET", "/echo"))
	if err != nil {
		t.Fatal(err)
	}
	if got.StatusCode != 200 {
		t.Errorf("a client that had been accepted: got %d, want 200", got.StatusCode)
	}
	for _, c := range taken {
		c.Close()
	}
	waitFor(t, "requests to be accepted again", func() bool { return ask(t, g.address, "GET", "/echo").StatusCode == 200 })
	told := 0
	for _, e := range g.log() {
		switch {
		case strings.HasPrefix(e.Msg, "clients wait to be accepted"):
			told++
		case strings.HasPrefix(e.Msg, "no file descriptor left"):
			t.Errorf("it ran out of them: %+v", e)
		}
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
}

// TestFilesExhausted checks that goodgate survives a configured limit on clients above
// the number of file descriptors, logs the remedy, and does not blame an upstream.
func TestFilesExhausted(t *testing.T) {
	g, first, taken := fewFiles(t, ", max_connections: 1000", "no file descriptor left")
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
