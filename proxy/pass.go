package proxy

import (
	"errors"
	"os"
	"time"

	"github.com/goodgate/goodgate/internal/wire/http1"
	"github.com/goodgate/goodgate/internal/wire/pipe"
)

const (
	// leastPassed is the least rest of a body, in bytes, for which a pipe is worthwhile.
	// A pipe costs two system calls and two locks, as a copy does.
	leastPassed = 16 << 10

	// maxPipes bounds the pipes in use. Each takes two file descriptors until a slow
	// client has read its content. Bodies without a pipe are copied.
	maxPipes = 128
)

// pipeWriter is a client's connection that can be written from a pipe.
type pipeWriter interface {
	Piped() bool
	Drain(*pipe.Pipe) error
}

// pass moves the next part of the body to the client without copying it, if both sides
// are plain sockets and the length is known. Otherwise it returns 0 and no error. It
// stores a write error in the writer.
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

// leastTaken is the least that a client must take within the write timeout, in bytes.
const leastTaken = 32 << 10

// drain writes the content of a pipe to the client. The content may be more than a client
// has to take within one write timeout.
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
