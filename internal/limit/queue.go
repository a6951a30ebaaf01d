package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Why a request is not let in.
var (
	ErrFull = errors.New("the queue is full")
	ErrWait = errors.New("waited too long for a place")
	ErrLate = errors.New("its deadline passes before its turn comes")
)

// Priority orders the requests that wait. Those of a lower number go first.
type Priority uint8

const (
	High Priority = iota
	Normal
	Low

	priorities
)

// QueueOptions configure a [Queue].
type QueueOptions struct {
	// Places returns how many requests may be under way at once; 0 = no bound.
	// It is asked often and must be cheap.
	Places  func() int
	Max     int           // requests that may wait; 0 = 1000
	MaxWait time.Duration // longest wait, in a burst; 0 = 500 ms
}

// Ticket is what a request shows to be let in.
type Ticket struct {
	Client   uint64 // whose it is, for fairness
	Priority Priority
	Deadline time.Time // zero = none
}

// Queue lets as many requests go at once as there are places and keeps the
// others waiting for a short time, so that an overload is answered with quick
// refusals instead of with a queue in which every request grows too old to be
// of use.
//
// A burst waits for its turn, up to MaxWait. It is an overload (a "standing
// queue") when requests have been waiting all the time for longer than that, or
// when after the first 50 ms surely more come than go. Then a wait is over after
// 50 ms, for the first request of a client 80, and the newest goes first, because its client is the likeliest to be
// there still. (Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 10(5),
// 2012; for servers Maurer, "Fail at Scale", ACM Queue 13(8), 2015.)
//
// Clients take turns, and one that has just come goes before those that keep
// the queue standing (RFC 8290: flow queuing). When the queue is full, the
// client with the most requests in it loses its oldest. A standing queue is full
// with two requests for each place, because more would wait in vain.
//
// It is safe for concurrent use.
type Queue struct {
	opts   QueueOptions
	length atomic.Int64 // requests that wait

	mu      sync.Mutex // protects the fields below
	busy    int        // places taken
	levels  [priorities]level
	clients map[flowKey]*flow
	since   time.Time // when the queue was last found empty
	came    int       // requests that have joined the queue since the burst
	went    int       // and that have had their turn
	grows   bool      // surely more came than went, in this burst or just before it
	proved  bool      // in this burst
	stood   time.Time // when that was last so
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

// Waiting returns the number of requests that wait.
func (q *Queue) Waiting() int { return int(q.length.Load()) }

// Busy returns the number of places taken.
func (q *Queue) Busy() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.busy
}

const (
	brief = 50 * time.Millisecond // the wait in a standing queue
	fresh = 80 * time.Millisecond // that of a client's first request there, which should not suffer for the others'
	burst = 50 * time.Millisecond // in which the requests of a burst come

	spare      = 2  // requests for each place that are kept in a standing queue
	spareLeast = 16 // but at least
)

// TryEnter takes a place, which [Queue.Leave] gives back, if there is one and
// nobody waits for it.
func (q *Queue) TryEnter() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.length.Load() > 0 || q.free() <= 0 {
		return false
	}
	q.busy++
	return true
}

// Enter takes a place, which [Queue.Leave] gives back. It waits for one at most
// MaxWait. The error wraps [ErrFull], [ErrWait] or [ErrLate], or is the
// context's.
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

// room returns how many may wait. In a standing queue, where the newest go first,
// more than a few for each place would wait in vain. Called with mu held.
func (q *Queue) room(now time.Time) int {
	if places := q.opts.Places(); places > 0 && q.standing(now) {
		return min(q.opts.Max, max(spare*places, spareLeast))
	}
	return q.opts.Max
}

// next returns the moment to look again, which is the deadline if that is
// sooner.
func (w *waiter) next(t time.Time) time.Time {
	if !w.deadline.IsZero() && w.deadline.Before(t) {
		return w.deadline
	}
	return t
}

// waited decides, when a request has waited for some time, whether it has
// waited enough.
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

// free returns the number of places that are free. Called with mu held.
func (q *Queue) free() int {
	n := q.opts.Places()
	if n <= 0 {
		return 1
	}
	return n - q.busy
}

// standing reports whether requests have been waiting all the time of late, or
// are about to. Called with mu held.
func (q *Queue) standing(now time.Time) bool {
	return q.length.Load() > 0 && (q.grows || now.Sub(q.since) > q.opts.MaxWait)
}

// watch looks whether the queue grows by more than three standard deviations of
// what chance would make of it, and ends the waits that are then too long.
// Called with mu held.
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

// Leave gives back a place.
func (q *Queue) Leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
	if q.length.Load() > 0 {
		q.serve(time.Now())
	}
}

// Wake lets requests in when there may be more places than before.
func (q *Queue) Wake() {
	if q.length.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.serve(time.Now())
}

// serve gives the free places to those whose turn it is. Called with mu held.
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

// Pressed reports whether the queue has been standing: work that is not
// needed should not be begun. A nil queue is not.
func (q *Queue) Pressed() bool {
	if q == nil || q.length.Load() == 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.standing(time.Now())
}
