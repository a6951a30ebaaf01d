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
	// flushAfter bounds the time that a record stays in memory. Writing each record
	// separately would cost a system call per request.
	flushAfter = 200 * time.Millisecond
	// flushAt is the number of waiting bytes that are written at once.
	flushAt = 64 << 10
	// keptBuffer is the largest buffer that is reused.
	keptBuffer = 4 * flushAt
	// closeTimeout bounds the delay of the end by a blocked file.
	closeTimeout = 5 * time.Second
)

// DefaultBuffer is the default limit on the bytes that wait for a slow file.
const DefaultBuffer = 1 << 20

// Writer writes in the background, so that logging never waits for the file. It drops
// and counts records beyond the limit on waiting bytes. It is safe for concurrent use.
type Writer struct {
	opts    WriterOptions
	flush   chan struct{} // there is something to write
	stop    chan struct{} // closed by Close
	done    chan struct{} // closed when the background has ended
	failing bool          // the last write failed; belongs to run

	mu       sync.Mutex // protects the fields below; never held while writing
	buf      []byte     // waiting bytes
	writing  int        // number of bytes being written
	timer    *time.Timer
	dropped  int64 // number of dropped records
	reported int64 // number of dropped records reported to Dropped
	closed   bool

	out sync.Mutex // held while writing; protects opts.Out
}

// WriterOptions configure a [Writer].
type WriterOptions struct {
	Out    io.WriteCloser
	Open   func() (io.WriteCloser, error) // opens the file again; nil = Reopen does nothing
	Buffer int                            // limit on waiting bytes; 0 = DefaultBuffer
	// Dropped is called when writing works again, with the number of records dropped
	// since its last call. It may log.
	Dropped func(n int64)
	// Trouble is called once when writing begins to fail, and with nil when it works
	// again. It may log.
	Trouble    func(error)
	FlushAfter time.Duration // what waits is written after this time at most; 0 = 200 ms
	// Count returns the number of records in unwritten bytes; nil = lines.
	Count func([]byte) int
}

// Interrupter is an output whose Write may wait for long. After Interrupt it returns
// soon.
type Interrupter interface{ Interrupt() }

// failer is an output that counts records as lost although its Write succeeds. While it
// fails, the number of lost records is not reported: the report could be lost as well, and
// cause the next one.
type failer interface{ fails() bool }

// NewWriter returns a writer. The caller must close it.
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

// Write adds one record. It fails only after Close; a dropped record is no error.
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

// Dropped returns the number of records dropped so far.
func (w *Writer) Dropped() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// Reopen continues in a new file, after the old one was moved away. After an error the
// old one stays in use.
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

// Close writes the waiting records, for at most 5 s, and closes the file.
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

// interrupt ends a waiting write, if the output supports that.
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
			if spare, ok = w.writeOnce(spare); ok && !w.fails() {
				w.report()
			}
		}
	}
}

// writeOnce writes the waiting bytes. It returns the previous buffer, for reuse, and
// whether the write succeeded.
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

func (w *Writer) fails() bool {
	w.out.Lock()
	defer w.out.Unlock()
	out, ok := w.opts.Out.(failer)
	return ok && out.fails()
}

// trouble reports when writing begins to fail, and when it works again.
func (w *Writer) trouble(err error) {
	if failing := err != nil; failing != w.failing {
		w.failing = failing
		if w.opts.Trouble != nil {
			w.opts.Trouble(err)
		}
	}
}

// report reports the records dropped since the last report.
func (w *Writer) report() {
	w.mu.Lock()
	n := w.dropped - w.reported
	w.reported = w.dropped
	w.mu.Unlock()
	if n > 0 && w.opts.Dropped != nil {
		w.opts.Dropped(n)
	}
}
