package e2e_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// goodgate notifies systemd when it serves, that it is alive, and when it reloads and
// ends.
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
	g.signal(syscall.SIGHUP)
	heard := ""
	for _, want := range []string{"RELOADING=1\nMONOTONIC_USEC=", "READY=1", "STOPPING=1"} {
		if want == "STOPPING=1" {
			g.signal(os.Interrupt)
		}
		for !strings.HasPrefix(heard, want) {
			got := make([]byte, 200)
			n, err := c.Read(got)
			if heard = string(got[:n]); err != nil {
				t.Fatalf("%v while waiting for %q", err, want)
			}
		}
	}
	g.signal(os.Interrupt)
	if got := g.wait(); got != 0 {
		t.Errorf("exit code %d after SIGINT, want 0", got)
	}
}

// activate opens a socket and becomes a program that gets it as systemd would
// pass it.
const activate = `
import os, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
fd = s.detach()
if fd != 3:
    os.dup2(fd, 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="web")
os.execv(sys.argv[2], sys.argv[2:])
`

// A socket that systemd has opened is served, and stays open for the process
// that takes over.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "a")
	g := &gate{address: freeAddress(t)}
	_, port, _ := net.SplitHostPort(g.address)
	file := writeFile(t, t.TempDir(), "goodgate.yaml", "listeners: [\"fd:web\"]\npools: {app: {upstreams: [\""+a.url()+"\"]}}\n")
	g.process = startProcess(t, "goodgate", nil, "python3", "-c", activate, port, built.goodgate, "run", "--config", file)
	g.dull = isPlain
	g.waitMessage("serving")
	if got := askOnce(t, "http://"+g.address+"/"); got != 200 {
		t.Errorf("got %d, want 200", got)
	}
	g.finish()
}

func askOnce(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
