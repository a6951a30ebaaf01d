package logging

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/slogtest"

	"github.com/goodgate/goodgate/proxy"
)

// TestReplaceUnderLoad: under concurrent records the log moves between files and
// formats. Each record is in exactly one file, in its format.
func TestReplaceUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(format string) string { return filepath.Join(dir, format) }
	options := func(format string) Options {
		return Options{Format: format, Output: file(format), Sample: 1, Level: slog.LevelInfo, Buffer: 64 << 20}
	}
	l, err := Open(options("json"))
	if err != nil {
		t.Fatal(err)
	}
	derived := l.With("part", "one").WithGroup("inner")
	var events, requests atomic.Int64
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				derived.Info("shown", "key", "value")
				events.Add(1)
				l.Access(record(func(r *proxy.Record) { r.Path = "/asked" }))
				requests.Add(1)
			}
		})
	}
	for i := range 40 {
		next, err := l.Prepare(options([]string{"text", "json"}[i%2]))
		if err != nil {
			t.Fatal(err)
		}
		next.Use()
		for seen := requests.Load(); requests.Load() < seen+20; {
			runtime.Gosched()
		}
	}
	close(done)
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l.Dropped() != 0 {
		t.Errorf("%d records were dropped", l.Dropped())
	}
	text, json := read(t, file("text")), read(t, file("json"))
	for _, line := range json {
		if !isJSON(line) {
			t.Fatalf("no JSON: %s", line)
		}
	}
	for _, line := range text {
		if isJSON(line) {
			t.Fatalf("JSON in a text log: %s", line)
		}
	}
	for what, want := range map[string]int64{"shown": events.Load(), "/asked": requests.Load()} {
		n := int64(strings.Count(strings.Join(append(text, json...), "\n"), what))
		if n != want {
			t.Errorf("%d records have %s, want %d", n, what, want)
		}
	}
	if !strings.Contains(strings.Join(text, ""), "part=one inner.key=value") {
		t.Error("the attributes of a logger are lost")
	}
}

func isJSON(line string) bool { return json.Valid([]byte(line)) }

func read(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(raw)), "\n")
}

// TestReplaceFails: if the new log cannot be opened, the present one stays in use.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "log")
	l, err := Open(Options{Output: file, Sample: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Prepare(Options{Output: filepath.Join(file, "below")}); err == nil || !strings.Contains(err.Error(), "log.output") {
		t.Errorf("got %v, want an error that names log.output", err)
	}
	next, err := l.Prepare(Options{Output: filepath.Join(dir, "other")})
	if err != nil {
		t.Fatal(err)
	}
	next.Discard()
	l.Info("still here")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); len(got) != 1 || !strings.Contains(got[0], "still here") {
		t.Errorf("the log holds %q", got)
	}
}

// TestHandler: the log's handler satisfies log/slog's tests.
func TestHandler(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	l, err := Open(Options{Output: file})
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	err = slogtest.TestHandler(l.Handler(), func() []map[string]any {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for _, line := range read(t, file) {
			var record map[string]any
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatal(err)
			}
			got = append(got, record)
		}
		return got
	})
	if err != nil {
		t.Error(err)
	}
}

func BenchmarkAccess(b *testing.B) {
	l, err := Open(Options{Output: filepath.Join(b.TempDir(), "log"), Sample: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	r := record(nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Access(r)
		}
	})
}
