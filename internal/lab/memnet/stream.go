package memnet

import (
	"bytes"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// streamSize is the size of the buffer of one direction, in bytes.
const streamSize = 64 << 10

// stream is one direction of a connection.
type stream struct {
	mu   sync.Mutex // mu protects the fields below.
	cond sync.Cond  // cond signals a change of one of them.

	buf                         bytes.Buffer
	writing                     bool  // a write is in progress; others wait for it
	readErr                     error // the error for reads after buf is empty; nil while open
	writeErr                    error // the error for writes; nil while open
	readDeadline, writeDeadline deadline
}

// deadline is a time that ends waits. The timer sets expired, so that no clocks are
// compared after a wait.
type deadline struct {
	timer   *time.Timer
	expired bool
}

func newStream() *stream {
	s := new(stream)
	s.cond.L = &s.mu
	return s
}

func (s *stream) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readErr == net.ErrClosed:
			return 0, net.ErrClosed
		case s.readDeadline.expired:
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case s.buf.Len() > 0:
			s.cond.Broadcast()
			return s.buf.Read(b)
		case s.readErr != nil:
			return 0, s.readErr
		}
		s.cond.Wait()
	}
}

func (s *stream) write(b []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing && s.writeState() == nil {
		s.cond.Wait()
	}
	if err := s.writeState(); err != nil {
		return 0, err
	}
	s.writing = true
	defer func() {
		s.writing = false
		s.cond.Broadcast()
	}()
	for n < len(b) {
		if err := s.writeState(); err != nil {
			return n, err
		}
		if part := b[n:min(len(b), n+streamSize-s.buf.Len())]; len(part) > 0 {
			s.buf.Write(part)
			n += len(part)
			s.cond.Broadcast()
			continue
		}
		s.cond.Wait()
	}
	return n, nil
}

// writeState returns the error for writes, nil if they may continue.
func (s *stream) writeState() error {
	if s.writeErr == nil && s.writeDeadline.expired {
		return os.ErrDeadlineExceeded
	}
	return s.writeErr
}

// end sets the errors for reads and writes, unless they have stronger ones. Only the
// orderly end, io.EOF, keeps the buffered bytes.
func (s *stream) end(readErr, writeErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readErr = stronger(s.readErr, readErr)
	s.writeErr = stronger(s.writeErr, writeErr)
	if s.readErr != io.EOF {
		s.buf.Reset()
	}
	s.cond.Broadcast()
}

// stronger returns the error that remains if both happen: the local close hides the
// peer's actions, and a reset hides an orderly end.
func stronger(a, b error) error {
	order := []error{nil, io.EOF, syscall.EPIPE, syscall.ECONNRESET, net.ErrClosed}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// setDeadline sets d, one of s's deadlines, to t.
func (s *stream) setDeadline(d *deadline, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	wait := time.Until(t)
	*d = deadline{expired: !t.IsZero() && wait <= 0}
	if wait > 0 {
		var timer *time.Timer
		timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if d.timer == timer { // else Stop was too late
				d.expired = true
				s.cond.Broadcast()
			}
		})
		d.timer = timer
	}
	s.cond.Broadcast()
}
