//go:build unix

package logging

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A named pipe as output needs no reader: neither the log's start nor a request waits for
// one. A reader that comes later gets the records, and one that leaves breaks nothing.
func TestPipeWithoutReader(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(Options{Format: "json", Output: name, Sample: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, word := range []string{"first", "second"} {
		l.Warn(word)
		reader, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(reader).ReadString('\n')
		if err != nil || !strings.Contains(line, word) {
			t.Errorf("read %q, %v, want %s", line, err, word)
		}
		reader.Close()
	}
	if err := l.Reopen(); err != nil {
		t.Errorf("reopened without a reader: %v", err)
	}
}
