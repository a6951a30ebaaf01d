package e2e_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// systemd is told when goodgate serves, and that it is alive.
func TestNotify(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a := startApp(t, "go", "a")
	g := startGate(t, "listeners: [\"${LISTEN}\"]\npools: {app: {upstreams: [\"${A}\"]}}\n", "A="+a.url(), "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=200000")
	c.SetReadDeadline(time.Now().Add(bound))
	for _, want := range []string{"READY=1\nMAINPID=", "WATCHDOG=1", "WATCHDOG=1"} {
		got := make([]byte, 200)
		n, err := c.Read(got)
		if err != nil || !strings.HasPrefix(string(got[:n]), want) {
			t.Errorf("told %q, %v, want %q", got[:n], err, want)
		}
	}
	g.finish()
}
