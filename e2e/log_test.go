package e2e_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A request that needed two attempts is one line, with both in it.
const logged = `
listeners: ["${LISTEN}"]
log: {output: "${OUTPUT}", format: "${FORMAT}"}
pools:
  app:
    policy: first
    upstreams: ["${DOWN}", "${A}"]
    health: {type: none}
`

func TestLogToFileInJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, down := startApp(t, "go", "go"), freeAddress(t)
	g := startGateIn(t, dir, logged, "OUTPUT=access.log", "FORMAT=json", "DOWN=http://"+down, "A="+a.url())
	g.logFile = filepath.Join(dir, "access.log")
	res := ask(t, g.address, "GET", "/some/path?secret=1")
	e := g.request(res.Header.Get("X-Request-Id"))
	want := []attempt{
		{Upstream: down, Reason: "connect_refused", Decision: "retried"},
		{Upstream: a.address, Status: 200, Decision: "answered"},
	}
	if e.Path != "/some/path" || e.Status != 200 || e.Upstream != a.address || e.Pool != "app" || e.Route != "default" {
		t.Errorf("the log says %+v", e)
	}
	if len(e.Attempts) != len(want) {
		t.Fatalf("%d attempts in the log, want %d: %+v", len(e.Attempts), len(want), e.Attempts)
	}
	for i, got := range e.Attempts {
		if (got.Error != "") != (got.Reason != "") {
			t.Errorf("attempt %d: reason %q with error %q", i, got.Reason, got.Error)
		}
		got.Error = ""
		if got != want[i] {
			t.Errorf("attempt %d: %+v, want %+v", i, got, want[i])
		}
	}
	g.finish()
	text, err := os.ReadFile(g.logFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "secret") {
		t.Error("the log holds the query, which may hold secrets")
	}
	if !strings.HasSuffix(strings.TrimSpace(string(text)), `"msg":"ended"}`) {
		t.Error("the log lacks its end")
	}
}

func TestLogInText(t *testing.T) {
	t.Parallel()
	a, down := startApp(t, "go", "go"), freeAddress(t)
	g := startGate(t, logged, "OUTPUT=stdout", "FORMAT=text", "DOWN=http://"+down, "A="+a.url())
	res := ask(t, g.address, "GET", "/some/path")
	var line string
	waitFor(t, "the request in the log", func() bool {
		for l := range strings.Lines(g.out.String()) {
			if strings.Contains(l, res.Header.Get("X-Request-Id")) {
				line = l
				return true
			}
		}
		return false
	})
	for _, want := range []string{"level=INFO msg=request ", " method=GET ", " path=/some/path ", " status=200 ", " upstream=" + a.address, "connect_refused", down} {
		if !strings.Contains(line, want) {
			t.Errorf("the line\n%swant %q in it", line, want)
		}
	}
}

// TestLogRotation: a log in nginx's format is moved away and opened again on SIGUSR1.
// It loses nothing, and contains only requests.
func TestLogRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := startApp(t, "go", "go")
	g := startGateIn(t, dir, logged, "OUTPUT=access.log", "FORMAT=combined", "DOWN=http://"+freeAddress(t), "A="+a.url())
	file := filepath.Join(dir, "access.log")
	ask(t, g.address, "GET", "/before?a=1")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	g.signal(syscall.SIGUSR1)
	g.waitMessage("log reopened")
	ask(t, g.address, "GET", "/after")
	g.finish()
	var all strings.Builder
	for _, name := range []string{file + ".1", file} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(string(text))
	}
	lines := strings.Split(strings.TrimSpace(all.String()), "\n")
	line := regexp.MustCompile(`^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /(before\?a=1|after) HTTP/1\.1" 200 \d+ "-" ".*"$`)
	if len(lines) != 2 || !line.MatchString(lines[0]) || !line.MatchString(lines[1]) {
		t.Errorf("the files hold\n%s", all.String())
	}
	if text, _ := os.ReadFile(file); !strings.Contains(string(text), "/after") {
		t.Errorf("the new file holds\n%s", text)
	}
}

// net/http's messages about an upstream that violates HTTP/2 go to the log, and not to
// stderr.
func TestLibraryMessagesAreLogged(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	serveRaw(ln, func(c net.Conn) {
		io.WriteString(c, "\x00\x00\x08\x06\x00\x00\x00\x00\x00pingpong") // a PING before any SETTINGS
		io.Copy(io.Discard, c)
	})
	g := startGate(t, `
listeners: ["${LISTEN}"]
log: {level: debug}
pools: {app: {protocol: h2c, health: {type: none}, retry: {attempts: 1}, hold: {for: 0s}, upstreams: ["http://${RAW}"]}}`, "RAW="+ln.Addr().String())
	if got := ask(t, g.address, "GET", "/").StatusCode; got != 502 && got != 504 {
		t.Errorf("got status %d, want a gateway error", got)
	}
	g.waitLog("net/http's words", func(e entry) bool { return e.Level == "DEBUG" && strings.Contains(e.Msg, "SETTINGS") })
	g.finish()
	for line := range strings.Lines(g.out.String()) {
		if !strings.HasPrefix(line, "{") {
			t.Errorf("a line that is no record: %s", line)
		}
	}
}
