package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/proxy"
)

// TestLogsArePrintable: in every format a record is one line, without characters that a
// terminal obeys or displays wrongly.
func TestLogsArePrintable(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b]0;owned\a\r\nfake\x7f\u009b31m\u0085\u202e\u2066\u200b\ufeff\u2028\U000e0041\xff"
	for _, format := range []string{"json", "text", "common", "combined"} {
		file := filepath.Join(t.TempDir(), "log")
		l, err := Open(Options{Format: format, Output: file, Sample: 1, Level: slog.LevelDebug})
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{RequestURI: "/" + hostile, Header: http.Header{"Referer": {hostile}, "User-Agent": {hostile}}}
		r.SetBasicAuth(hostile, "x")
		l.Access(&proxy.Record{
			Request: message.FromHTTP(r), Start: time.Now(), ID: hostile, Method: hostile, Host: hostile, Path: hostile, Proto: hostile, Status: 502, Reason: reason.ConnectRefused,
			Err: errors.New(hostile), Upstream: hostile, Attempts: []proxy.Attempt{{Upstream: hostile, Err: errors.New(hostile)}},
		})
		l.Access(&proxy.Record{Request: message.FromHTTP(r), Host: "\x7f", Path: "/\x7f", Start: time.Now()})
		lines := 2
		if format == "json" || format == "text" {
			l.Error(hostile, hostile, hostile, "del", "\x7f", "error", errors.New(hostile))
			lines++
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for i, c := range string(text) {
			if c == '\n' {
				n++
			} else if !unicode.IsPrint(c) {
				t.Errorf("%s has %U in %+q", format, c, text[max(0, i-30):min(len(text), i+30)])
				break
			}
		}
		if n != lines {
			t.Errorf("%s has %d lines, want %d: %+q", format, n, lines, text)
		}
		if format == "json" {
			var record struct{ Path string }
			if err := json.Unmarshal(text[:bytes.IndexByte(text, 0x0a)], &record); err != nil || record.Path != "\x1b]0;owned\a\r\nfake\x7f\u009b31m\u0085\u202e\u2066\u200b\ufeff\u2028\U000e0041\ufffd" {
				t.Errorf("got %+q, %v", record.Path, err)
			}
		}
	}
}
