package logging

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/heaptest"
)

// file is a file that can be read during writes, and can block them.
type file struct {
	mu     sync.Mutex // protects the fields below
	buf    bytes.Buffer
	block  chan struct{} // writes wait for it; nil = no wait
	err    error
	closed bool
}

func (f *file) Write(p []byte) (int, error) {
	f.mu.Lock()
	block := f.block
	f.mu.Unlock()
	if block != nil {
		<-block
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return 0, f.err
	}
	return f.buf.Write(p)
}

func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

func (f *file) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *file) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.buf.String()
}

// TestRecordsAreWrittenSoon checks the limit on the time that a record stays in memory.
func TestRecordsAreWrittenSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out file
		w := NewWriter(WriterOptions{Out: &out})
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
		w.Write(make([]byte, flushAt))
		synctest.Wait()
		if got := len(out.String()); got != flushAt+4 {
			t.Errorf("much is not written at once: got %d bytes", got)
		}
		w.Write([]byte("two\n"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.HasSuffix(got, "two\n") || !out.closed {
			t.Errorf("after Close: got %d bytes, closed %t", len(got), out.closed)
		}
		if _, err := w.Write([]byte("late\n")); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Write after Close: got %v, want %v", err, os.ErrClosed)
		}
		if err := w.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

// TestSlowFile: logging does not wait for a blocked file. Records beyond the limit are
// dropped, counted, and reported once the file works again.
func TestSlowFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := file{block: make(chan struct{})}
		var told int64
		w := NewWriter(WriterOptions{Out: &out, Buffer: 10, Dropped: func(n int64) { told += n }})
		began := time.Now()
		w.Write([]byte("12345"))
		time.Sleep(flushAfter)
		synctest.Wait() // the write is in progress
		w.Write([]byte("abcde"))
		w.Write([]byte("x"))
		w.Write([]byte("y"))
		if d := time.Since(began); d != flushAfter {
			t.Errorf("Write waited: %v", d-flushAfter)
		}
		if got := w.Dropped(); got != 2 || told != 0 {
			t.Errorf("dropped: got %d and told of %d, want 2 and 0", got, told)
		}
		close(out.block)
		time.Sleep(flushAfter)
		synctest.Wait()
		if got := out.String(); got != "12345abcde" || told != 2 {
			t.Errorf("got %q and told of %d, want what fitted, and 2", got, told)
		}
		w.Close()
	})
}

// TestFailingFile: records that a file rejects are counted, and reported only when the
// file works again, because the report would be rejected as well.
func TestFailingFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out file
		var told int64
		var w *Writer
		w = NewWriter(WriterOptions{Out: &out, Dropped: func(n int64) {
			told += n
			w.Write([]byte("dropped\n"))
		}})
		out.fail(errors.New("disk full"))
		for range 3 {
			w.Write([]byte("lost\n"))
			time.Sleep(2 * flushAfter)
		}
		if got := w.Dropped(); got != 3 || told != 0 {
			t.Errorf("got %d dropped, told of %d, want 3 and 0", got, told)
		}
		out.fail(nil)
		w.Write([]byte("kept\n"))
		time.Sleep(2 * flushAfter)
		synctest.Wait()
		if got := out.String(); got != "kept\ndropped\n" || told != 3 {
			t.Errorf("got %q, told of %d, want 3", got, told)
		}
		w.Close()
	})
}

// A blocked file does not prevent the end of the process.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := file{block: make(chan struct{})}
		w := NewWriter(WriterOptions{Out: &out})
		w.Write([]byte("x"))
		began := time.Now()
		if err := w.Close(); err == nil || time.Since(began) != closeTimeout {
			t.Errorf("got %v after %v, want an error after %v", err, time.Since(began), closeTimeout)
		}
		close(out.block)
	})
}

// TestReopen does the same as logrotate: it moves the file away, then sends a signal.
func TestReopen(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "log")
	l, err := Open(Options{Output: name, Sample: 1})
	if err != nil {
		t.Fatal(err)
	}
	l.Info("before")
	l.out.sinks[0].file.wake()
	read := func(name string) string {
		b, _ := os.ReadFile(name)
		return string(b)
	}
	for range 1000 { // gives up in the end
		if read(name) != "" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Info("after")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if old, now := read(name+".1"), read(name); !strings.Contains(old, "before") || strings.Contains(old, "after") || !strings.Contains(now, "after") {
		t.Errorf("the old file holds\n%s\nthe new one\n%s", old, now)
	}
}

// Concurrent writes arrive completely and once, also across a Reopen.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	var first, second file
	w := NewWriter(WriterOptions{Out: &first, Open: func() (io.WriteCloser, error) { return &second, nil }})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				w.Write([]byte("0123456789\n"))
			}
		})
	}
	if err := w.Reopen(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	w.Close()
	if got := strings.Count(first.String()+second.String(), "0123456789\n"); got != 4000 || w.Dropped() != 0 {
		t.Errorf("got %d records, dropped %d", got, w.Dropped())
	}
}

func BenchmarkWriter(b *testing.B) {
	w := NewWriter(WriterOptions{Out: standard{io.Discard}})
	defer w.Close()
	line := bytes.Repeat([]byte("x"), 300)
	b.ReportAllocs()
	for b.Loop() {
		w.Write(line)
	}
}

// TestMemory checks the limit on waiting bytes for records of any size.
func TestMemory(t *testing.T) {
	out := file{block: make(chan struct{})}
	w := NewWriter(WriterOptions{Out: &out})
	kept := heaptest.Kept(t, func() any {
		record := make([]byte, heaptest.Junk)
		for range 100 {
			w.Write(record)
		}
		return w
	})
	heaptest.Within(t, "records", kept, DefaultBuffer)
	close(out.block)
	w.Close()
}
