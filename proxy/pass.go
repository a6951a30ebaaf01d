package proxy

import (
	"errors"
	"os"
	"time"

	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/internal/wire/pipe"
)

const (
	// leastPassed is what a body must still have for a pipe to be worth it: on it
	// go two system calls and two locks, as on a copy.
	leastPassed = 16 << 10

	// maxPipes bounds the pipes in use, each of which takes two descriptors while a
	// client that is slow takes what is in it. What finds none is copied.
	maxPipes = 128
)

// pipeWriter is a client's connection that a pipe may be emptied into.
type pipeWriter interface {
	Piped() bool
	Drain(*pipe.Pipe) error
}

// pass moves the next part of the body to the client without copying it, where
// both sides are plain sockets and the length is known. It returns 0 and no error
// where that cannot be. An error of the client's is noted in the writer.
func (b *leasedBody) pass() (int, error) {
	from, ok := b.ReadCloser.(http1.PipeBody)
	if !ok || from.Ready() < leastPassed || b.x.writer.coder != nil || b.x.writer.hurt() != nil {
		return 0, nil
	}
	to, ok := b.x.writer.ResponseWriter.(pipeWriter)
	if !ok || !to.Piped() {
		return 0, nil
	}
	pipes := &b.x.proxy.pipes
	p := pipes.Get()
	if p == nil {
		return 0, nil
	}
	defer pipes.Put(p)
	n, err := from.Fill(p)
	if n > 0 {
		if failed := b.x.writer.drain(to, p); failed != nil {
			return n, failed
		}
	}
	return n, err
}

// leastTaken is what a client must take within the write timeout.
const leastTaken = 32 << 10

// drain is Write of what is in a pipe, which may be more than a client has to
// take at a time.
func (w *responseWriter) drain(to pipeWriter, p *pipe.Pipe) error {
	for {
		had := p.Len()
		w.bound()
		err := to.Drain(p)
		took := had - p.Len()
		w.written += int64(took)
		if err != nil && took >= leastTaken && errors.Is(err, os.ErrDeadlineExceeded) {
			w.bounded = time.Time{}
			continue
		}
		if err != nil && w.err == nil {
			w.err = err
		}
		return err
	}
}
