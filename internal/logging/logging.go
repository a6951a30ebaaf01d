// Package logging opens the log: a slog handler over a buffered file.
package logging

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	bufferSize = 64 << 10
	// flushAfter bounds how long a record stays in memory. Writing each record
	// by itself would cost a system call a request.
	flushAfter = 200 * time.Millisecond
)

// Options say what is logged and where.
type Options struct {
	Format string // "text", else JSON
	Level  slog.Level
	Output string // "stdout", "stderr", "" = stderr, else a file name
}

// Open returns a logger and what to close when nothing will log any more. A
// record is on its way to the file within 200 ms.
func Open(o Options) (*slog.Logger, io.Closer, error) {
	w, err := open(o.Output)
	if err != nil {
		return nil, nil, err
	}
	handler := &slog.HandlerOptions{Level: o.Level}
	if o.Format == "text" {
		return slog.New(slog.NewTextHandler(w, handler)), w, nil
	}
	return slog.New(slog.NewJSONHandler(w, handler)), w, nil
}

func open(output string) (*Writer, error) {
	switch output {
	case "", "stderr":
		return NewWriter(os.Stderr, nil), nil
	case "stdout":
		return NewWriter(os.Stdout, nil), nil
	}
	f, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, fmt.Errorf("log.output: %w", err)
	}
	return NewWriter(f, f), nil
}

// Writer is a buffer that empties itself soon after it was written to. It is
// safe for concurrent use.
type Writer struct {
	closer io.Closer // nil when it is not the writer's to close

	mu     sync.Mutex // protects the fields below
	buf    *bufio.Writer
	timer  *time.Timer // nil while nothing waits
	closed bool
}

// NewWriter returns a writer to out; closer, if not nil, is closed with it.
func NewWriter(out io.Writer, closer io.Closer) *Writer {
	return &Writer{closer: closer, buf: bufio.NewWriterSize(out, bufferSize)}
}

func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, os.ErrClosed
	}
	if w.timer == nil {
		w.timer = time.AfterFunc(flushAfter, w.flush)
	}
	return w.buf.Write(p)
}

func (w *Writer) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = nil
	if !w.closed {
		w.buf.Flush()
	}
}

// Close writes what waits.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
	err := w.buf.Flush()
	if w.closer != nil {
		err = errors.Join(err, w.closer.Close())
	}
	return err
}
