package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
)

// TestSlowClients checks that 5,000 clients that stop sending or reading cost goodgate
// less than 300 MB.
func TestSlowClients(t *testing.T) {
	const clients, most = 5000, 300 << 20
	if raceEnabled {
		t.Skip("the race detector takes memory of its own: go test ./e2e -run TestSlowClients")
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), 2<<20/16)
	var asked atomic.Int64
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}))
	defer app.Close()
	for name, say := range map[string]string{
		"within a header": "GET / HTTP/1.1\r\nHost: a\r\nX",
		"within a body":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc",
		"idle":            "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
		"taking nothing":  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			admin := freeAddress(t)
			g := &gate{address: freeAddress(t)}
			file := writeFile(t, t.TempDir(), "goodgate.yaml", fmt.Sprintf(`
listeners: [{address: %q, timeouts: {header: 2m}}]
admin: {address: %q}
log: {output: "/dev/null"}
routes: [{match: {path: /nowhere}, respond: {status: 204}}, {pool: app}]
pools: {app: {upstreams: [%q], max_idle_conns: 10}}`, g.address, admin, app.URL))
			g.process = startProcess(t, "goodgate", nil, built.goodgate, "run", "--config", file)
			g.ready("tcp", g.address)
			g.ready("tcp", admin)
			for range clients {
				client, err := net.Dial("tcp", g.address)
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				client.(*net.TCPConn).SetReadBuffer(16 << 10)
				if _, err := io.WriteString(client, say); err != nil {
					t.Fatal(err)
				}
			}
			waitFor(t, "all clients to be there", func() bool {
				return metric(t, admin, "goodgate_client_connections") >= clients && (name != "taking nothing" || asked.Load() >= clients)
			})
			got := peakMemory(t, g.cmd.Process.Pid)
			t.Logf("%d clients %s: %d MB at most, %.1f kB each", clients, name, got>>20, float64(got)/clients/1024)
			if got > most {
				t.Errorf("got %d MB, want less than %d", got>>20, most>>20)
			}
		})
	}
}

// metric returns the sum of a metric's series.
func metric(t *testing.T, admin, name string) (sum float64) {
	t.Helper()
	res, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? (\S+)$`).FindAllSubmatch(text, -1) {
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return sum
}

// peakMemory returns the most memory that a process has had in RAM, in bytes.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("memory is read from /proc")
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
