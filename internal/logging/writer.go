package logging

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// flushAfter bounds how long a record stays in memory. Writing each record
	// by itself would cost a system call a request.
	flushAfter = 200 * time.Millisecond
	// flushAt is how much is written at once if it comes sooner.
	flushAt = 64 << 10
	// keptBuffer is the largest buffer that is kept for the next time.
	keptBuffer = 4 * flushAt
	// closeTimeout bounds how long a file that takes nothing delays the end.
	closeTimeout = 5 * time.Second
)

// DefaultBuffer is how many bytes wait for a slow file at most.
const DefaultBuffer = 1 << 20

// Writer writes in the background, so that nobody who logs waits for the file.
// What comes while as much waits as may is dropped, and counted. It is safe for
// concurrent use.
type Writer struct {
	opts    WriterOptions
	flush   chan struct{} // there is something to write
	stop    chan struct{} // closed by Close
	done    chan struct{} // closed when the background has ended
	failing bool          // the last write failed; run's

	mu       sync.Mutex // protects the fields below; never held while writing
	buf      []byte     // waits
	writing  int        // bytes that are being written
	timer    *time.Timer
	dropped  int64 // records, in all
	reported int64 // of these, those that Dropped was told of
	closed   bool

	out sync.Mutex // held while writing; protects opts.Out
}

// WriterOptions say where a [Writer] writes.
type WriterOptions struct {
	Out    io.WriteCloser
	Open   func() (io.WriteCloser, error) // opens it anew; nil = that does nothing
	Buffer int                            // bytes that wait at most; 0 = DefaultBuffer
	// Dropped is told, when writing works again, how many records were dropped
	// since it was told last. It may log.
	Dropped func(n int64)
	// Trouble is told once when writing begins to fail, and with nil when it works
	// again. It may log.
	Trouble    func(error)
	FlushAfter time.Duration // what waits is written after this time at most; 0 = 200 ms
	// Count returns how many records there are in what was not written; nil = lines.
	Count func([]byte) int
}

// Interrupter is an output whose Write may wait for long. After Interrupt it returns
// soon.
type Interrupter interface{ Interrupt() }

// NewWriter returns a writer, which somebody has to close.
func NewWriter(o WriterOptions) *Writer {
	if o.Buffer <= 0 {
		o.Buffer = DefaultBuffer
	}
	if o.FlushAfter <= 0 {
		o.FlushAfter = flushAfter
	}
	if o.Count == nil {
		o.Count = func(b []byte) int { return bytes.Count(b, []byte{'\n'}) }
	}
	w := &Writer{opts: o, flush: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// Write takes one record. It fails only after Close; a record that is dropped is
// no error.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, os.ErrClosed
	}
	if len(w.buf)+w.writing+len(p) > w.opts.Buffer {
		w.dropped++
		return len(p), nil
	}
	w.buf = append(w.buf, p...)
	switch {
	case len(w.buf) >= flushAt:
		w.wake()
	case w.timer == nil:
		w.timer = time.AfterFunc(w.opts.FlushAfter, w.wake)
	}
	return len(p), nil
}

func (w *Writer) wake() {
	select {
	case w.flush <- struct{}{}:
	default:
	}
}

// lose counts records that were written, and that the output could not deliver.
func (w *Writer) lose(n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropped += n
}

// Dropped returns how many records were dropped so far.
func (w *Writer) Dropped() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// Reopen continues in a new file, after the old one was moved away. When that
// fails the old one stays.
func (w *Writer) Reopen() error {
	if w.opts.Open == nil {
		return nil
	}
	out, err := w.opts.Open()
	if err != nil {
		return err
	}
	w.out.Lock()
	old := w.opts.Out
	w.opts.Out = out
	w.out.Unlock()
	return old.Close()
}

// Close writes what waits, for 5 s at most, and closes the file.
func (w *Writer) Close() error {
	w.report()
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	close(w.stop)
	late := time.NewTimer(closeTimeout)
	defer late.Stop()
	select {
	case <-w.done:
	case <-late.C:
		if !w.interrupt() {
			return errors.New("the log's file takes nothing: its last records are lost")
		}
		<-w.done
	}
	w.out.Lock()
	defer w.out.Unlock()
	return w.opts.Out.Close()
}

// interrupt ends a write that waits, if the output can.
func (w *Writer) interrupt() bool {
	out, ok := w.opts.Out.(Interrupter) // such an output is never replaced
	if ok {
		out.Interrupt()
	}
	return ok
}

// run writes until Close.
func (w *Writer) run() {
	defer close(w.done)
	var spare []byte
	for {
		select {
		case <-w.stop:
			w.writeOnce(spare)
			return
		case <-w.flush:
			var ok bool
			if spare, ok = w.writeOnce(spare); ok {
				w.report()
			}
		}
	}
}

// writeOnce writes what waits. It returns the buffer that came in, for the next
// time, and whether the file took it.
func (w *Writer) writeOnce(spare []byte) (used []byte, ok bool) {
	w.mu.Lock()
	buf := w.buf
	w.buf, w.writing = spare[:0], len(buf)
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	w.mu.Unlock()
	n, err := 0, error(nil)
	if len(buf) > 0 {
		w.out.Lock()
		n, err = w.opts.Out.Write(buf)
		w.out.Unlock()
		w.trouble(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing = 0
	if err != nil {
		w.dropped += int64(w.opts.Count(buf[n:]))
	}
	if cap(buf) > keptBuffer {
		buf = nil
	}
	return buf, err == nil
}

// trouble tells when writing begins to fail, and when it works again.
func (w *Writer) trouble(err error) {
	if failing := err != nil; failing != w.failing {
		w.failing = failing
		if w.opts.Trouble != nil {
			w.opts.Trouble(err)
		}
	}
}

// report tells of records that were dropped since the last time.
func (w *Writer) report() {
	w.mu.Lock()
	n := w.dropped - w.reported
	w.reported = w.dropped
	w.mu.Unlock()
	if n > 0 && w.opts.Dropped != nil {
		w.opts.Dropped(n)
	}
}
