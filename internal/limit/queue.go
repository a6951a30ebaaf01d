package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Reasons that a request is not admitted.
var (
	ErrFull = errors.New("the queue is full")
	ErrWait = errors.New("waited too long for a place")
	ErrLate = errors.New("its deadline passes before its turn comes")
)

// Priority orders the waiting requests. Lower numbers go first.
type Priority uint8

const (
	High Priority = iota
	Normal
	Low

	priorities
)

// QueueOptions configure a [Queue].
type QueueOptions struct {
	// Places returns the limit on concurrent requests; 0 = none. It is called often and
	// must be cheap.
	Places  func() int
	Max     int           // waiting requests; 0 = 1000
	MaxWait time.Duration // longest wait in a burst; 0 = 500 ms
}

// Ticket describes a request that asks for a place.
type Ticket struct {
	Client   uint64 // its client, for fairness
	Priority Priority
	Deadline time.Time // zero = none
}

// Queue admits as many concurrent requests as there are places, and makes the others wait
// for a short time. So an overload leads to quick refusals, and not to a queue in which
// every request becomes too old to be useful.
//
// In a burst, requests wait for their turn, up to MaxWait. It is an overload (a "standing
// queue") when requests have been waiting continuously for longer than that, or when
// after the first 50 ms significantly more requests arrive than leave. Then a request
// waits at most 50 ms, the first one of a client 80 ms. The newest request goes first,
// because its client is the most likely to be still there. (Nichols and Jacobson,
// "Controlling Queue Delay", ACM Queue 10(5), 2012; for servers Maurer, "Fail at Scale",
// ACM Queue 13(8), 2015.)
//
// Clients take turns, and a new client goes before those that keep the queue standing
// (RFC 8290: flow queuing). When the queue is full, the client with the most waiting
// requests loses its oldest. A standing queue is full with two requests per place,
// because more would wait in vain.
//
// It is safe for concurrent use.
type Queue struct {
	opts   QueueOptions
	length atomic.Int64 // waiting requests

	mu      sync.Mutex // protects the fields below
	busy    int        // places taken
	levels  [priorities]level
	clients map[flowKey]*flow
	since   time.Time // last time that the queue was empty
	came    int       // requests that have joined since the burst began
	went    int       // requests that have had their turn since then
	grows   bool      // significantly more came than went, in this burst or just before it
	proved  bool      // the same, in this burst alone
	stood   time.Time // last time that grows was true
}

// NewQueue returns an empty queue.
func NewQueue(o QueueOptions) *Queue {
	if o.Max == 0 {
		o.Max = 1000
	}
	if o.MaxWait == 0 {
		o.MaxWait = 500 * time.Millisecond
	}
	return &Queue{opts: o, clients: map[flowKey]*flow{}}
}

// Waiting returns the number of waiting requests.
func (q *Queue) Waiting() int { return int(q.length.Load()) }

// Busy returns the number of places taken.
func (q *Queue) Busy() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.busy
}

const (
	brief = 50 * time.Millisecond // the wait in a standing queue
	fresh = 80 * time.Millisecond // the wait of a client's first request there, which other clients should not harm
	burst = 50 * time.Millisecond // the time in which the requests of a burst arrive

	spare      = 2  // waiting requests per place in a standing queue
	spareLeast = 16 // the least number of these
)

// TryEnter takes a place if one is free and no request waits for it. [Queue.Leave]
// returns the place.
func (q *Queue) TryEnter() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.length.Load() > 0 || q.free() <= 0 {
		return false
	}
	q.busy++
	return true
}

// Enter takes a place, and waits for it at most MaxWait. [Queue.Leave] returns the place.
// The error wraps [ErrFull], [ErrWait] or [ErrLate], or is the context's.
func (q *Queue) Enter(ctx context.Context, t Ticket) error {
	w, err := q.enter(t)
	if w == nil {
		return err
	}
	timer := time.NewTimer(time.Until(w.until))
	defer timer.Stop()
	for {
		select {
		case err := <-w.done:
			return err
		case now := <-timer.C:
			if over, err := q.waited(w, now); over {
				return err
			}
			timer.Reset(time.Until(w.until))
		case <-ctx.Done():
			return q.giveUp(w, context.Cause(ctx))
		}
	}
}

// enter takes a place at once, or joins the queue.
func (q *Queue) enter(t Ticket) (*waiter, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.length.Load() == 0 && q.free() > 0 {
		q.busy++
		return nil, nil
	}
	now := time.Now()
	if !t.Deadline.IsZero() && !now.Before(t.Deadline) {
		return nil, ErrLate
	}
	if most := q.room(now); int(q.length.Load()) >= most && !q.makeRoom(t, now) {
		return nil, fmt.Errorf("%w: %d requests wait", ErrFull, most)
	}
	w := &waiter{done: make(chan error, 1), began: now, deadline: t.Deadline}
	q.join(w, t, now)
	w.until = w.next(now.Add(min(w.patience, q.opts.MaxWait)))
	return w, nil
}

// room returns how many requests may wait. In a standing queue, where the newest go
// first, more than a few per place would wait in vain. mu must be held.
func (q *Queue) room(now time.Time) int {
	if places := q.opts.Places(); places > 0 && q.standing(now) {
		return min(q.opts.Max, max(spare*places, spareLeast))
	}
	return q.opts.Max
}

// next returns the time of the next check, at most the deadline.
func (w *waiter) next(t time.Time) time.Time {
	if !w.deadline.IsZero() && w.deadline.Before(t) {
		return w.deadline
	}
	return t
}

// waited decides whether a request has waited long enough.
func (q *Queue) waited(w *waiter, now time.Time) (over bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	end := w.began.Add(q.opts.MaxWait)
	switch {
	case w.flow == nil: // its turn came at the same moment
		return true, <-w.done
	case !w.deadline.IsZero() && !now.Before(w.deadline):
		err = ErrLate
	case q.standing(now) || !now.Before(end):
		err = q.tooLong(w, now)
	default:
		if standing := q.since.Add(q.opts.MaxWait + time.Millisecond); standing.Before(end) {
			end = standing
		}
		w.until = w.next(end)
		return false, nil
	}
	q.take(w)
	return true, err
}

// free returns the number of free places. mu must be held.
func (q *Queue) free() int {
	n := q.opts.Places()
	if n <= 0 {
		return 1
	}
	return n - q.busy
}

// standing reports whether requests have been waiting continuously of late, or are about
// to. mu must be held.
func (q *Queue) standing(now time.Time) bool {
	return q.length.Load() > 0 && (q.grows || now.Sub(q.since) > q.opts.MaxWait)
}

// watch checks whether the queue has grown by more than three standard deviations of
// chance, and ends the waits that are then too long. mu must be held.
func (q *Queue) watch(now time.Time) {
	if q.proved {
		q.stood = now
	}
	if q.proved || now.Sub(q.since) < burst {
		return
	}
	q.came++
	if more := q.came - q.went; more <= 0 || more*more <= 9*(q.came+q.went) {
		return
	}
	q.grows, q.proved, q.stood = true, true, now
	for _, f := range q.clients {
		for f.waiting.Len() > 0 && now.Sub(f.oldest().began) >= f.oldest().patience {
			w := f.oldest()
			q.take(w)
			w.done <- q.tooLong(w, now)
		}
	}
}

func (q *Queue) tooLong(w *waiter, now time.Time) error {
	return fmt.Errorf("%w: %v for one of %d", ErrWait, now.Sub(w.began).Round(time.Millisecond), q.opts.Places())
}

// Leave returns a place.
func (q *Queue) Leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
	if q.length.Load() > 0 {
		q.serve(time.Now())
	}
}

// Wake admits requests after the number of places may have grown.
func (q *Queue) Wake() {
	if q.length.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.serve(time.Now())
}

// serve gives the free places to the next requests. mu must be held.
func (q *Queue) serve(now time.Time) {
	for q.length.Load() > 0 && q.free() > 0 {
		w := q.next(q.standing(now))
		q.busy++
		if now.Sub(q.since) >= burst {
			q.went++
		}
		w.done <- nil
	}
}

// Pressed reports whether the queue has been standing, so that unnecessary work should
// not begin. A nil queue is not pressed.
func (q *Queue) Pressed() bool {
	if q == nil || q.length.Load() == 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.standing(time.Now())
}
