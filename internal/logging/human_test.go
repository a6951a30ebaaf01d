package logging

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.Local)

func TestHumanEvents(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := &humanHandler{out: &out, level: slog.LevelInfo}
	handle := func(h slog.Handler, level slog.Level, msg string, attrs ...any) {
		r := slog.NewRecord(noon, level, msg, 0)
		r.Add(attrs...)
		if h.Enabled(t.Context(), level) {
			h.Handle(t.Context(), r)
		}
	}
	pool := h.WithAttrs([]slog.Attr{slog.String("pool", "app")})
	handle(h, slog.LevelInfo, "proxying a -> b")
	handle(pool, slog.LevelWarn, "probes fail", "upstream", "127.0.0.1:1", "error", errors.New("refused"))
	handle(pool, slog.LevelInfo, "upstream available", "upstream", "127.0.0.1:1", "left", 2, "resting", false, "why", "")
	handle(pool.WithGroup("g"), slog.LevelError, "odd", "x", 1.25, "at", noon, "for", time.Second)
	handle(h, slog.LevelDebug, "hidden")
	want := `12:00:00         proxying a -> b
12:00:00  warn   probes fail  app 127.0.0.1:1: refused
12:00:00         upstream available  app 127.0.0.1:1 left=2
12:00:00  error  odd  app g.x=1.25 g.at=12:00:00 g.for=1s
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestHumanRequests(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := &humanHandler{out: &out, level: slog.LevelInfo}
	request := func(r proxy.Record) {
		r.Start, r.Request = noon, proxy.NewRequest(httptest.NewRequest("GET", "/", nil))
		h.access(&r)
	}
	request(proxy.Record{ID: "a", Method: "GET", Path: "/", Status: 200, Duration: 1400 * time.Microsecond, Upstream: "127.0.0.1:1"})
	request(proxy.Record{ID: "b", Method: "POST", Path: "/" + strings.Repeat("long", 50), Status: 502, Duration: 62 * time.Millisecond, Upstream: "127.0.0.1:1", Reason: reason.ClosedBeforeResponse})
	request(proxy.Record{ID: "c", Method: "GET", Path: "/", Status: 200, Duration: 1200 * time.Millisecond, Upstream: "127.0.0.1:2", Absorbed: reason.ByRetry, Hidden: reason.ConnectRefused, Held: 1100 * time.Millisecond})
	request(proxy.Record{ID: "d", Method: "GET", Path: "/", Status: 200, Duration: 90 * time.Second, Upstream: "127.0.0.1:2", Absorbed: reason.ByHedge})
	request(proxy.Record{ID: "e", Method: "POST", Path: "/", Status: 502, Upstream: "127.0.0.1:2", Reason: reason.UpstreamStatus})
	want := `12:00:00  200    GET  /                               1.4 ms  127.0.0.1:1
12:00:00  502    POST /longlonglonglonglonglonglonglonglonglonglonglonglonglonglo…     62 ms  127.0.0.1:1  closed_before_response: ` + strings.TrimSuffix(reason.ClosedBeforeResponse.Text(), ".") + `; goodgate why b
12:00:01  200    GET  /                                1.2 s  127.0.0.1:2  hidden by retry: connect_refused; waited 1.2 s for an upstream
12:01:30  200    GET  /                                1m30s  127.0.0.1:2  made faster by hedge
12:00:00  502    POST /                               0.0 ms  127.0.0.1:2  upstream_status; goodgate why e
`
	want = strings.Replace(want, "waited 1.2 s", "waited 1.1 s", 1)
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestHumanIsSafe: only goodgate's own colours reach the terminal.
func TestHumanIsSafe(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b]0;owned\a\r\n\u009b31m\u202e\xff"
	var out bytes.Buffer
	h := &humanHandler{out: &out, colour: true}
	r := slog.NewRecord(noon, slog.LevelWarn, hostile, 0)
	r.Add("pool", hostile, hostile, hostile, "error", hostile)
	h.Handle(t.Context(), r)
	h.access(&proxy.Record{Start: noon, Method: hostile, Path: hostile, Upstream: hostile, ID: hostile, Reason: reason.ConnectRefused, Status: 502})
	text := strings.NewReplacer(red, "", yellow, "", faint, "", plainly, "").Replace(out.String())
	if strings.Count(text, "\n") != 2 || text == out.String() {
		t.Errorf("got %q, want two lines and colours", out.String())
	}
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%U in %q", r, text)
		}
	}
}

// TestForm: a file or a pipe gets JSON.
func TestForm(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"auto": "json", "human": Human, "json": "json", "combined": "combined"} {
		if got := (Options{Format: format, Output: filepath.Join(t.TempDir(), "log")}).Form(); got != want {
			t.Errorf("%s: got %s, want %s", format, got, want)
		}
	}
	name := filepath.Join(t.TempDir(), "log")
	l, err := Open(Options{Format: "human", Output: name})
	if err != nil {
		t.Fatal(err)
	}
	l.Info("hello", "pool", "app")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(line); !strings.HasSuffix(got, "         hello  app\n") || strings.Contains(got, "\x1b") {
		t.Errorf("got %q, want a line without colours", got)
	}
}
