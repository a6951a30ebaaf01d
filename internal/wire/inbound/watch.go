package inbound

import (
	"io"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
)

const (
	// saidAll is the time after the start of the watch in which a client that shuts down
	// its sending side still waits for the answer. Scripts do so with the request (printf
	// ... | nc -N). A later shutdown means that the client leaves. On the wire both look
	// the same (RFC 9112, section 9.6).
	saidAll = 25 * time.Millisecond

	// askAfter is the time after which the watch sends such a client an interim response.
	// A client that has closed both directions answers with a reset.
	askAfter = time.Second
)

// watch notices that the client leaves while its request is in flight, by reading the
// first byte of its next request. It starts once somebody calls Done and the request's
// body has been read.
type watch struct {
	c *conn

	mu     sync.Mutex // protects the fields below
	wanted bool
	read   bool // the request has been read to its end
	over   bool
	of     *response     // to the request; nil = there is none
	done   chan struct{} // closed when the goroutine has ended; nil = there is none
}

// reset prepares for the next request. The watch must not be running.
func (w *watch) reset(of *response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted, w.read, w.over, w.of, w.done = false, false, false, of, nil
}

// want reports that somebody has called Done. A late caller may arrive when the next
// request has begun.
func (w *watch) want(of *requestContext) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of != nil && &w.of.ctx == of {
		w.wanted = true
		w.start()
	}
}

// atEnd reports that the request has been read to its end.
func (w *watch) atEnd() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read = true
	w.start()
}

// start starts the watch; mu must be held. A client whose next request is buffered is
// still there, and the watch cannot find out more.
func (w *watch) start() {
	if !w.wanted || !w.read || w.over || w.done != nil || w.c.ahead {
		return
	}
	w.done = make(chan struct{})
	go w.run(w.done, w.of)
}

func (w *watch) run(done chan struct{}, of *response) {
	defer close(done)
	began := time.Now()
	for {
		n, err := w.c.nc.Read(w.c.next[:])
		if n > 0 {
			w.c.ahead = true
			return
		}
		if err == io.EOF && w.c.sock != nil && time.Since(began) < saidAll {
			w.c.lost = err // there is no further request
			if !w.awaitReset(of) {
				return
			}
		}
		if !deadline.Exceeded(err) {
			w.c.lost = err
			of.ctx.gone()
			return
		}
		if !w.goesOn() {
			return
		}
	}
}

// awaitReset watches a client that has shut down its sending side, and reports whether
// it has left.
func (w *watch) awaitReset(r *response) bool {
	w.c.rd.Wake(time.Now().Add(askAfter))
	for asked := false; ; asked = true {
		err := w.c.sock.waitReset()
		if !deadline.Exceeded(err) {
			return true
		}
		if !w.goesOn() {
			return false
		}
		if !asked {
			r.askForLife()
		}
	}
}

// goesOn removes the deadline that woke the watch, unless the deadline meant its end.
func (w *watch) goesOn() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.c.rd.Off()
	}
	return !w.over
}

// stop ends the watch. The connection then has the byte that the watch has read.
func (w *watch) stop() {
	w.mu.Lock()
	w.over = true
	done := w.done
	w.mu.Unlock()
	if done == nil {
		return
	}
	w.c.rd.Interrupt()
	<-done
	w.c.rd.Again()
}
