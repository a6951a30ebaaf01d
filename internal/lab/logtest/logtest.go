// Package logtest collects logs and other output, for tests.
package logtest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// bound is the longest wait for a text.
const bound = 15 * time.Second

// Buffer is a log that a test reads while the code under test writes it. The zero value is
// empty. It is safe for concurrent use.
type Buffer struct {
	mu      sync.Mutex // protects the fields below
	text    bytes.Buffer
	written chan struct{} // closed at the next write; nil = nobody waits
}

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.written != nil {
		close(b.written)
		b.written = nil
	}
	return b.text.Write(p)
}

// String returns the text written since the last Take.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Take returns the text written since the last Take, and removes it.
func (b *Buffer) Take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

// Line returns the first line that contains a word, "" if there is none.
func (b *Buffer) Line(word string) string {
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, word) {
			return line
		}
	}
	return ""
}

// WaitFor waits until the buffer contains text. It fails the test after 15 s.
func (b *Buffer) WaitFor(t testing.TB, text string) {
	t.Helper()
	late := time.NewTimer(bound)
	defer late.Stop()
	for {
		found, written := b.look(text)
		if found {
			return
		}
		select {
		case <-written:
		case <-late.C:
			t.Fatalf("%q was not written:\n%s", text, b.String())
		}
	}
}

// look reports whether the buffer contains text, and returns a channel that the next write
// closes.
func (b *Buffer) look(text string) (found bool, written <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.written == nil {
		b.written = make(chan struct{})
	}
	return bytes.Contains(b.text.Bytes(), []byte(text)), b.written
}
