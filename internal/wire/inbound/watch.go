package inbound

import (
	"sync"

	"github.com/goodgate/goodgate/internal/wire/deadline"
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
	of     *requestContext // of the request; nil = there is none
	done   chan struct{}   // closed when the goroutine has ended; nil = there is none
}

// reset prepares for the next request. No watch is under way.
func (w *watch) reset(of *requestContext) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted, w.read, w.over, w.of, w.done = false, false, false, of, nil
}

// want says that somebody wants to know. Who asks as a request ends may come when
// the next one has begun.
func (w *watch) want(of *requestContext) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of == of {
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

func (w *watch) run(done chan struct{}, of *requestContext) {
	defer close(done)
	for {
		n, err := w.c.nc.Read(w.c.next[:])
		if n > 0 {
			w.c.ahead = true
			return
		}
		if !deadline.Exceeded(err) {
			w.c.lost = err
			of.gone()
			return
		}
		if !w.goesOn() {
			return
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
