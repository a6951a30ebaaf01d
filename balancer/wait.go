package balancer

import (
	"container/list"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull says that as many requests wait for an upstream as may.
var ErrFull = errors.New("too many requests wait for an upstream")

// waitlist is the queue of requests that wait for an upstream.
type waitlist struct {
	n     atomic.Int64 // len(queue), to keep the lock off the path while nobody waits
	mu    sync.Mutex   // protects the fields below
	queue list.List
	pace  *time.Timer // wakes the next of a release; nil while none is under way
}

// An upstream that has just come back is not trampled by all that waited for
// it: the first releaseFirst go on at once, twice as many every releasePace.
// A thousand take an eighth of a second.
const (
	releaseFirst = 32
	releasePace  = 25 * time.Millisecond
)

// Waiter is a request's place in the queue. It belongs to one goroutine.
type Waiter struct {
	// C delivers a signal when it is worth picking again.
	C     chan struct{}
	list  *waitlist
	place *list.Element
}

// Wait joins the queue of requests that wait for an upstream, at most limit of
// them, else it returns [ErrFull]. Pick again after joining and after every
// signal, and call [Waiter.Leave] in the end.
func (p *Pool) Wait(limit int) (*Waiter, error) {
	w := &Waiter{C: make(chan struct{}, 1), list: &p.waiters}
	l := w.list
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue.Len() >= limit {
		return nil, ErrFull
	}
	w.place = l.queue.PushBack(w)
	l.n.Store(int64(l.queue.Len()))
	return w, nil
}

// Waiting returns the number of requests that wait for an upstream.
func (p *Pool) Waiting() int { return int(p.waiters.n.Load()) }

// Leave gives up the place. A signal that came and was not taken goes to the
// next in the queue.
func (w *Waiter) Leave() {
	l := w.list
	l.mu.Lock()
	l.queue.Remove(w.place)
	l.n.Store(int64(l.queue.Len()))
	l.mu.Unlock()
	select {
	case <-w.C:
		l.wakeOne()
	default:
	}
}

func (w *Waiter) signal() bool {
	select {
	case w.C <- struct{}{}:
		return true
	default:
		return false
	}
}

// wakeOne signals the first waiter that has no signal pending.
func (l *waitlist) wakeOne() {
	if l.n.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.queue.Front(); e != nil; e = e.Next() {
		if e.Value.(*Waiter).signal() {
			return
		}
	}
}

// wakeAll signals every waiter, in a growing stream.
func (l *waitlist) wakeAll() {
	if l.n.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pace == nil {
		l.wake(releaseFirst)
	}
}

// wake signals the next n waiters and sees to those that remain. Called with
// mu held.
func (l *waitlist) wake(n int) {
	left := n
	for e := l.queue.Front(); e != nil; e = e.Next() {
		if left == 0 {
			l.pace = time.AfterFunc(releasePace, func() { l.wakeNext(2 * n) })
			return
		}
		if e.Value.(*Waiter).signal() {
			left--
		}
	}
	l.pace = nil
}

func (l *waitlist) wakeNext(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wake(n)
}
