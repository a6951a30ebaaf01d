package inbound

import (
	"io"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/wire/deadline"
)

const (
	// saidAll is how long after the watch has begun a client that shuts down its side
	// of the connection still counts as one that has said all it wanted to. Scripts do
	// it with the request (printf ... | nc -N). Later it is how a client leaves.
	// On the wire both look the same (RFC 9112, section 9.6).
	saidAll = 25 * time.Millisecond

	// askAfter is when such a client is asked for a sign of life: by an interim
	// response, which one that has closed both directions answers with a reset.
	askAfter = time.Second
)

// watch looks whether the client is still there while its request is served, by
// reading a byte of what it sends next. It begins once somebody wants to know and
// the request's body has been read.
type watch struct {
	c *conn

	mu     sync.Mutex // protects the fields below
	wanted bool
	read   bool // the request has been read to its end
	over   bool
	of     *response     // to the request; nil = there is none
	done   chan struct{} // closed when the goroutine has ended; nil = there is none
}

// reset prepares for the next request. No watch is under way.
func (w *watch) reset(of *response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted, w.read, w.over, w.of, w.done = false, false, false, of, nil
}

// want says that somebody wants to know. Who asks as a request ends may come when
// the next one has begun.
func (w *watch) want(of *requestContext) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of != nil && &w.of.ctx == of {
		w.wanted = true
		w.start()
	}
}

// atEnd says that the request has been read to its end.
func (w *watch) atEnd() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read = true
	w.start()
}

// start is called with mu held. A client that has sent its next request already
// is there, and nothing more can be found out.
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

// awaitReset watches a client that has shut down its side, and reports whether it has
// left.
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

// goesOn takes off a deadline that woke the watch, unless that was to end it.
func (w *watch) goesOn() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.c.rd.Off()
	}
	return !w.over
}

// stop ends the watch. What it has read is there for the connection then.
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
