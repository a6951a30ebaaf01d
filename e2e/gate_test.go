package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gate is a running goodgate.
type gate struct {
	*process
	address string // of its first listener
	logFile string // "" = standard error
}

// startGate runs goodgate with a configuration that finds its address in
// ${LISTEN}, and other variables as NAME=value.
func startGate(t *testing.T, config string, env ...string) *gate {
	t.Helper()
	return startGateIn(t, t.TempDir(), config, env...)
}

// startGateIn is startGate with the folder of the configuration file.
func startGateIn(t *testing.T, dir, config string, env ...string) *gate {
	t.Helper()
	file := writeFile(t, dir, "goodgate.yaml", config)
	address := freeAddress(t)
	g := &gate{address: address}
	g.process = startProcess(t, "goodgate", append(env, "LISTEN="+address), built.goodgate, "run", "--config", file)
	g.dull = isPlain
	g.ready("tcp", address)
	return g
}

// startSidecar runs goodgate without a file.
func startSidecar(t *testing.T, to ...string) *gate {
	t.Helper()
	g := &gate{address: freeAddress(t)}
	argv := []string{built.goodgate, "run", "--listen", g.address}
	for _, url := range to {
		argv = append(argv, "--to", url)
	}
	g.process = startProcess(t, "goodgate", nil, argv...)
	g.dull = isPlain
	g.ready("tcp", g.address)
	return g
}

// isPlain reports whether a line of the log is about a request that was
// answered at the first attempt.
func isPlain(line string) bool {
	return strings.Contains(line, `"msg":"request"`) && strings.Contains(line, `"status":200`) && !strings.Contains(line, `"attempts"`)
}

// finish ends goodgate with two signals, so that it does not wait for its clients, and
// checks that it exits with 0.
func (g *gate) finish() {
	g.t.Helper()
	g.signal(os.Interrupt)
	g.waitMessage("shutting down")
	g.hurry()
	if got := g.wait(); got != 0 {
		g.t.Errorf("exit code %d after SIGINT, want 0", got)
	}
}

func writeFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// entry is a line of goodgate's log.
type entry struct {
	Level    string    `json:"level"`
	Msg      string    `json:"msg"`
	ID       string    `json:"id"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	Status   int       `json:"status"`
	Route    string    `json:"route"`
	Pool     string    `json:"pool"`
	Upstream string    `json:"upstream"`
	HeldMS   float64   `json:"held_ms"`
	Reason   string    `json:"reason"`
	Attempts []attempt `json:"attempts"`
	Changes  []string  `json:"changes"` // of a reload
	PID      int       `json:"pid"`
	Breaker  string    `json:"breaker"`
	Why      string    `json:"why"` // an upstream is available
}

type attempt struct {
	Upstream string `json:"upstream"`
	Status   int    `json:"status"`
	Reason   string `json:"reason"`
	Error    string `json:"error"`
	Because  string `json:"because"`
	Decision string `json:"decision"`
}

// log returns the JSON lines that goodgate has logged so far.
func (g *gate) log() []entry {
	g.t.Helper()
	text := g.out.String()
	if g.logFile != "" {
		b, err := os.ReadFile(g.logFile)
		if err != nil {
			g.t.Fatal(err)
		}
		text = string(b)
	}
	var list []entry
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "\n") {
			continue // a warning, or half a line
		}
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			g.t.Fatalf("the log line %s is no JSON: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}

// waitLog waits for a log line and returns it.
func (g *gate) waitLog(what string, match func(entry) bool) (found entry) {
	g.t.Helper()
	waitFor(g.t, "the log to tell of "+what, func() bool {
		for _, e := range g.log() {
			if match(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// waitMessage waits for a log line whose message holds text.
func (g *gate) waitMessage(text string) entry {
	g.t.Helper()
	return g.waitLog(text, func(e entry) bool { return strings.Contains(e.Msg, text) })
}

// waitMore calls do and waits until the log has a message about an app once more.
func (g *gate) waitMore(what, message string, a *app, do func()) {
	g.t.Helper()
	count := func() (n int) {
		for _, e := range g.log() {
			if e.Msg == message && e.Upstream == a.address {
				n++
			}
		}
		return n
	}
	before := count()
	do()
	waitFor(g.t, what, func() bool { return count() > before })
}

// waitAvailable waits until an app's last state in the log is available.
func (g *gate) waitAvailable(a *app) {
	g.t.Helper()
	waitFor(g.t, a.name+" to be available", func() bool {
		available := false
		for _, e := range g.log() {
			if e.Upstream == a.address && strings.HasPrefix(e.Msg, "upstream ") {
				available = e.Msg == "upstream available"
			}
		}
		return available
	})
}

// request waits for the record of a request.
func (g *gate) request(id string) entry {
	g.t.Helper()
	return g.waitLog("request "+id, func(e entry) bool { return e.Msg == "request" && e.ID == id })
}
