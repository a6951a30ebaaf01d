package proxy

import (
	"bytes"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/reason"
)

// TestLogFields: LogFields lists every field that a record may have. Only listed names
// can be removed.
func TestLogFields(t *testing.T) {
	known := LogFields()
	seen := map[string]bool{}
	note := func(_ *Record, attrs []slog.Attr) []slog.Attr {
		for _, a := range attrs {
			seen[a.Key] = true
			if !slices.Contains(known, a.Key) {
				t.Errorf("LogFields does not have %s", a.Key)
			}
		}
		return append(attrs[:1], slog.String("own", "\"\n"))
	}
	r := &Record{
		ID: "1", Pool: "app", Upstream: "a:1", Cache: 1, Fallback: "b", Trace: "t", Held: 1, Paused: 1, Queued: 1, DryRun: "r", Omitted: 1, Faults: FaultDelay,
		Reason: reason.ConnectRefused, Err: io.EOF, Absorbed: reason.ByRetry, Hidden: reason.ConnectRefused, SavedBy: "s", Attempts: make([]Attempt, 2),
	}
	var out, text bytes.Buffer
	LogJSON(&out, slog.LevelInfo, note)(r)
	Log(slog.New(slog.NewTextHandler(&text, nil)), note)(r)
	for _, name := range known {
		if !seen[name] {
			t.Errorf("no record has %s", name)
		}
	}
	if want := `"id":"1","own":"\"\n"}` + "\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("got %s, want the end %s", out.String(), want)
	}
	if want := `id=1 own="\"\n"` + "\n"; !strings.HasSuffix(text.String(), want) {
		t.Errorf("got %s, want the end %s", text.String(), want)
	}
}
