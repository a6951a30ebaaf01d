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

// ErrFull says that as many requests wait for an upstream, or as much of their
// bodies, as may.
var ErrFull = errors.New("too many requests wait for an upstream")

// waitlist is the queue of requests that wait for an upstream.
//
// It is first come, first served until it stands: more than half of it is
// taken, or the first has waited long. Then the last come is served first. A
// queue that grows faster than it is served makes everybody wait until their
// clients give up, and serves nobody in time; so some wait in vain and the rest
// hardly at all. (B. Maurer, Fail at scale, ACM Queue 2015: adaptive LIFO.)
type waitlist struct {
	n     atomic.Int64 // len(queue), to keep the lock off the path while nobody waits
	mu    sync.Mutex   // protects the fields below
	queue list.List
	body  int64       // bytes that those in the queue hold
	pace  *time.Timer // wakes the next of a release; nil while none is under way
	busy  func() int  // requests that the last of a release still make; nil = they are not looked at
}

// WaitLimits bound a pool's queue of requests that wait for an upstream.
type WaitLimits struct {
	Requests int           // at once
	Body     int64         // bytes of all their bodies that are kept; 0 = no bound
	Long     time.Duration // a wait after which the last come is served first; 0 = only a queue over half of Requests does that
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
	C      chan struct{}
	list   *waitlist
	place  *list.Element
	since  time.Time
	body   int64
	limits WaitLimits
}

// Wait joins the queue of requests that wait for an upstream, with a request
// that keeps body bytes meanwhile. It returns an error that is [ErrFull] when
// that would go beyond limits. Pick again after joining and after every signal,
// and call [Waiter.Leave] in the end.
func (p *Pool) Wait(body int64, limits WaitLimits) (*Waiter, error) {
	return p.waiters.join("hold", body, limits)
}

// join adds a request. of names the setting of the limits.
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

// Leave gives up the place. A signal that came and was not taken goes to the
// next in the queue.
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

// wakeOne signals the first waiter that has no signal pending.
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

// inTurn are the waiters in the order in which they are served. Called with mu
// held.
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

// stands reports whether the queue grows faster than it is served, by what its
// oldest request asked for. Called with mu held.
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

// wake signals the next n waiters and sees to those that remain. Called with
// mu held.
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

// wakeNext wakes n, twice as many as before. While those still keep the upstreams
// busy, it wakes no more than the first time.
func (l *waitlist) wakeNext(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy != nil && l.busy() > n/2 {
		n = releaseFirst
	}
	l.wake(n)
}
