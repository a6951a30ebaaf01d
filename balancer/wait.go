package balancer

import (
	"container/list"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull means that a queue of waiting requests is full: it holds the largest allowed
// number of requests, or of bytes of their bodies.
var ErrFull = errors.New("too many requests wait for an upstream")

// waitlist is the queue of requests that wait for an upstream.
//
// It is first in, first out until it is congested: more than half full, or its first
// request has waited long. Then it is last in, first out. If requests join faster than
// they leave, a FIFO queue makes all wait until their clients give up, and serves none in
// time. LIFO serves most at once, and lets some wait without success. (B. Maurer, Fail at
// scale, ACM Queue 2015: adaptive LIFO.)
type waitlist struct {
	n     atomic.Int64 // len(queue), to avoid the lock while no request waits
	mu    sync.Mutex   // protects the fields below
	queue list.List
	body  int64       // bytes of the bodies of the queued requests
	pace  *time.Timer // wakes the next requests of a release; nil between releases
	busy  func() int  // released requests that still run; nil = releases ignore them
}

// WaitLimits bound a pool's queue of requests that wait for an upstream.
type WaitLimits struct {
	Requests int           // largest number of requests in the queue
	Body     int64         // largest sum of bytes of their buffered bodies; 0 = no bound
	Long     time.Duration // the queue is last in, first out while it is more than half full, or while its oldest request has waited this long; 0 = only while more than half full
}

// A returning upstream must not get all waiting requests at once. The first releaseFirst
// continue at once, and twice as many after each releasePace. A thousand take an eighth
// of a second.
const (
	releaseFirst = 32
	releasePace  = 25 * time.Millisecond
)

// Waiter is a request's place in the queue. It belongs to one goroutine.
type Waiter struct {
	// C delivers a signal when another pick may succeed.
	C      chan struct{}
	list   *waitlist
	place  *list.Element
	since  time.Time
	body   int64
	limits WaitLimits
}

// Wait adds a request to the queue of requests that wait for an upstream. body is the
// number of bytes that the request keeps in memory meanwhile. Wait returns an error that
// wraps [ErrFull] if the queue would exceed limits. Pick again after joining and after
// every signal, and call [Waiter.Leave] in the end.
func (p *Pool) Wait(body int64, limits WaitLimits) (*Waiter, error) {
	return p.waiters.join("hold", body, limits)
}

// join adds a request. of is the setting that the error names.
func (l *waitlist) join(of string, body int64, limits WaitLimits) (*Waiter, error) {
	w := &Waiter{C: make(chan struct{}, 1), list: l, since: time.Now(), body: body, limits: limits}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue.Len() >= limits.Requests {
		return nil, fmt.Errorf("%w: %s.max_requests is %d", ErrFull, of, limits.Requests)
	}
	if limits.Body > 0 && body > 0 && l.body+body > limits.Body {
		return nil, fmt.Errorf("%w: %d bytes of bodies are held, this one has %d, %s.max_body is %d", ErrFull, l.body, body, of, limits.Body)
	}
	l.body += body
	w.place = l.queue.PushBack(w)
	l.n.Store(int64(l.queue.Len()))
	return w, nil
}

// Waiting returns the number of requests that wait for an upstream.
func (p *Pool) Waiting() int { return int(p.waiters.n.Load()) }

// Leave gives up the place. It passes an unused signal on to the next request in the
// queue.
func (w *Waiter) Leave() {
	l := w.list
	l.mu.Lock()
	l.queue.Remove(w.place)
	l.body -= w.body
	w.body = 0
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

// wakeOne signals the first waiter without a pending signal.
func (l *waitlist) wakeOne() {
	if l.n.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.inTurn() {
		if w.signal() {
			return
		}
	}
}

// inTurn returns the waiters in the order of service. mu must be held.
func (l *waitlist) inTurn() iter.Seq[*Waiter] {
	first, next := l.queue.Front(), (*list.Element).Next
	if l.stands() {
		first, next = l.queue.Back(), (*list.Element).Prev
	}
	return func(yield func(*Waiter) bool) {
		for e := first; e != nil && yield(e.Value.(*Waiter)); e = next(e) {
		}
	}
}

func (l *waitlist) standing() bool {
	if l.n.Load() == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stands()
}

// stands reports whether the queue is congested, by the limits of its oldest request. mu
// must be held.
func (l *waitlist) stands() bool {
	front := l.queue.Front()
	if front == nil {
		return false
	}
	w := front.Value.(*Waiter)
	return 2*l.queue.Len() > w.limits.Requests || w.limits.Long > 0 && time.Since(w.since) >= w.limits.Long
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

// wake signals the next n waiters, and sets the timer for the rest. mu must be held.
func (l *waitlist) wake(n int) {
	left := n
	for w := range l.inTurn() {
		if left == 0 {
			l.pace = time.AfterFunc(releasePace, func() { l.wakeNext(2 * n) })
			return
		}
		if w.signal() {
			left--
		}
	}
	l.pace = nil
}

// wakeNext wakes n waiters, twice as many as before. While the previous ones still keep
// the upstreams busy, it wakes only releaseFirst.
func (l *waitlist) wakeNext(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy != nil && l.busy() > n/2 {
		n = releaseFirst
	}
	l.wake(n)
}
