package logging

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// locked is a buffer that can be read while it is written to.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestRecordsAreWrittenSoon holds the bound on how long a record stays in
// memory.
func TestRecordsAreWrittenSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out locked
		w := NewWriter(&out, nil)
		w.Write([]byte("one\n"))
		synctest.Wait()
		if got := out.String(); got != "" {
			t.Errorf("written at once: %q; each record would cost a system call", got)
		}
		time.Sleep(flushAfter)
		synctest.Wait()
		if got := out.String(); got != "one\n" {
			t.Errorf("after %v: got %q, want the record", flushAfter, got)
		}
		w.Write([]byte("two\n"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != "one\ntwo\n" {
			t.Errorf("after Close: got %q", got)
		}
		if _, err := w.Write([]byte("late\n")); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Write after Close: got %v, want %v", err, os.ErrClosed)
		}
		if err := w.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func TestOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	for _, format := range []string{"json", "text"} {
		log, closer, err := Open(Options{Format: format, Output: file})
		if err != nil {
			t.Fatal(err)
		}
		log.Debug("hidden")
		log.Info("shown", "key", "value")
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"msg":"shown","key":"value"`) || !strings.Contains(lines[1], "msg=shown key=value") {
		t.Errorf("the file holds:\n%s", raw)
	}
	_, _, err = Open(Options{Output: filepath.Join(file, "below")})
	if err == nil || !strings.Contains(err.Error(), "log.output") {
		t.Errorf("an impossible file: got %v, want an error that names log.output", err)
	}
}
