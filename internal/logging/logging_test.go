package logging

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/proxy"
)

func record(change func(*proxy.Record)) *proxy.Record {
	r := &proxy.Record{
		Start: time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600)), Client: netip.MustParseAddr("192.0.2.1"),
		Method: "GET", Proto: "HTTP/1.1", Path: "/a", Status: 200, Sent: 12,
		Request: message.FromHTTP(httptest.NewRequest("GET", "/a?b=1", nil)), Attempts: make([]proxy.Attempt, 1),
	}
	if change != nil {
		change(r)
	}
	return r
}

func TestFormats(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	for _, format := range []string{"json", "text", "common", "combined"} {
		l, err := Open(Options{Format: format, Output: name, Sample: 1})
		if err != nil {
			t.Fatal(err)
		}
		l.Debug("hidden")
		if format == "json" || format == "text" {
			l.Info("shown", "key", "value")
		}
		l.Access(record(nil))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`"msg":"shown","key":"value"`, `"path":"/a","status":200`,
		`msg=shown key=value`, `path=/a status=200`,
		`192.0.2.1 - - [04/Mar/2026:05:06:07 +0100] "GET /a?b=1 HTTP/1.1" 200 12`,
		`192.0.2.1 - - [04/Mar/2026:05:06:07 +0100] "GET /a?b=1 HTTP/1.1" 200 12 "-" "-"`,
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(lines) != len(want) {
		t.Fatalf("the file holds:\n%s", raw)
	}
	for i, w := range want {
		if !strings.Contains(lines[i], w) {
			t.Errorf("line %d: got %s, want %s", i, lines[i], w)
		}
	}
	_, err = Open(Options{Output: filepath.Join(name, "below")})
	if err == nil || !strings.Contains(err.Error(), "log.output") {
		t.Errorf("an impossible file: got %v, want an error that names log.output", err)
	}
}

// TestCombined: fields are escaped like in nginx, so that no client can forge a line or
// a field.
func TestCombined(t *testing.T) {
	t.Parallel()
	const head, tail = `192.0.2.1 - - [04/Mar/2026:05:06:07 +0100] "GET /a?b=1 HTTP/1.1" 200 12 `, `"-" "-"`
	for name, c := range map[string]struct {
		change func(*proxy.Record)
		want   string
	}{
		"plain": {nil, head + tail},
		"agent": {func(r *proxy.Record) {
			r.Request.HTTP().Header = http.Header{"Referer": {"http://x/"}, "User-Agent": {`a"b\c` + "\n\x7fü~"}}
		}, head + `"http://x/" "a\x22b\x5Cc\x0A\x7F\xC3\xBC~"`},
		"user": {func(r *proxy.Record) { r.Request.HTTP().SetBasicAuth(`jo e"`, "secret") },
			strings.Replace(head, "- - [", `- jo e\x22 [`, 1) + tail},
		"a key is no user": {func(r *proxy.Record) { r.Request.HTTP().Header.Set("Authorization", "Bearer secret") }, head + tail},
		"client gone":      {func(r *proxy.Record) { r.Status = 499 }, strings.Replace(head, " 200 ", " 499 ", 1) + tail},
		"no status":        {func(r *proxy.Record) { r.Status = 0 }, strings.Replace(head, " 200 ", " 000 ", 1) + tail},
		"unix":             {func(r *proxy.Record) { r.Client = netip.Addr{} }, strings.Replace(head, "192.0.2.1", "unix:", 1) + tail},
		"IPv6": {func(r *proxy.Record) { r.Client = netip.MustParseAddr("2001:db8::1") },
			strings.Replace(head, "192.0.2.1", "2001:db8::1", 1) + tail},
		"method": {func(r *proxy.Record) { r.Method = "G\xff" }, strings.Replace(head, "GET", `G\xFF`, 1) + tail},
	} {
		got := string(redactor{}.appendAccess(nil, record(c.change), true))
		if got != c.want+"\n" {
			t.Errorf("%s: got\n%swant\n%s", name, got, c.want)
		}
	}
}

// TestSampling: requests that failed or nearly failed are never left out.
func TestSampling(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*proxy.Record)
		kept   bool
	}{
		"plain":           {nil, false},
		"not found":       {func(r *proxy.Record) { r.Status = 404 }, false},
		"escaped":         {func(r *proxy.Record) { r.Status, r.Reason = 502, reason.ConnectRefused }, true},
		"client gone":     {func(r *proxy.Record) { r.Status, r.Reason = 499, reason.ClientGone }, true},
		"absorbed":        {func(r *proxy.Record) { r.Absorbed = reason.ByHold }, true},
		"retried":         {func(r *proxy.Record) { r.Attempts = make([]proxy.Attempt, 2) }, true},
		"the app's error": {func(r *proxy.Record) { r.Status = 500 }, true},
	} {
		kept := false
		sampled(0, func(*proxy.Record) { kept = true })(record(c.change))
		if kept != c.kept {
			t.Errorf("%s: kept %t, want %t", name, kept, c.kept)
		}
	}
	const n = 4000
	count := 0
	log := sampled(0.25, func(*proxy.Record) { count++ })
	for range n {
		log(record(nil))
	}
	if count < n/5 || count > n*3/10 {
		t.Errorf("kept %d of %d, want about a quarter", count, n)
	}
}

func TestAccessLevel(t *testing.T) {
	t.Parallel()
	var out file
	w := NewWriter(WriterOptions{Out: &out})
	log := access(w, slog.LevelWarn, func(b []byte, r *proxy.Record) []byte { return redactor{}.appendAccess(b, r, false) })
	log(record(nil))
	log(record(func(r *proxy.Record) { r.Status, r.Reason = 502, reason.ConnectRefused }))
	w.Close()
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, " 502 ") {
		t.Errorf("got %q, want the failure alone", got)
	}
}

// FuzzEscape: for any bytes from a client, a line stays one line, and a field one
// field.
func FuzzEscape(f *testing.F) {
	f.Add("a\"b\\\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := string(appendField(nil, s))
		if got == "" || strings.ContainsAny(got, "\"\n\r\x00") {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func BenchmarkCombined(b *testing.B) {
	r := record(nil)
	var line []byte
	b.ReportAllocs()
	for b.Loop() {
		line = redactor{}.appendAccess(line[:0], r, true)
	}
}
