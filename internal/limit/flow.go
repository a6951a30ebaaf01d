package limit

import (
	"container/list"
	"fmt"
	"time"
)

// waiter is a request that waits. Its fields, but for done and until, belong to
// the queue's lock.
type waiter struct {
	done     chan error // gets one value, when the wait ends by the queue's hand
	began    time.Time
	until    time.Time     // when to look whether it has waited enough; its goroutine's
	deadline time.Time     // zero = none
	flow     *flow         // nil when it no longer waits
	place    *list.Element // in its flow
}

type flowKey struct {
	priority Priority
	client   uint64
}

// flow is the waiting requests of one client, the oldest first.
type flow struct {
	key     flowKey
	waiting list.List     // of *waiter
	turn    *list.Element // among the flows of its priority
}

func (f *flow) oldest() *waiter { return f.waiting.Front().Value.(*waiter) }
func (f *flow) newest() *waiter { return f.waiting.Back().Value.(*waiter) }

// join puts a request into its client's flow. Called with mu held.
func (q *Queue) join(w *waiter, t Ticket, now time.Time) {
	key := flowKey{min(t.Priority, Low), t.Client}
	f := q.clients[key]
	if f == nil {
		f = &flow{key: key}
		q.clients[key] = f
		line := &q.levels[key.priority]
		if q.standing(now) {
			f.turn = line.PushFront(f)
		} else {
			f.turn = line.PushBack(f)
		}
	}
	w.flow, w.place = f, f.waiting.PushBack(w)
	if q.length.Add(1) == 1 {
		q.since, q.came, q.went, q.grows = now, 0, 0, false
	}
	q.watch(now)
}

// next takes out the request whose turn it is. The queue is not empty. Called
// with mu held.
func (q *Queue) next(standing bool) *waiter {
	for i := range q.levels {
		line := &q.levels[i]
		if line.Len() == 0 {
			continue
		}
		f := line.Front().Value.(*flow)
		w := f.oldest()
		if standing {
			w = f.newest()
		}
		line.MoveToBack(f.turn)
		q.take(w)
		return w
	}
	panic("limit: the queue's length is wrong")
}

// take takes a request out. Called with mu held.
func (q *Queue) take(w *waiter) {
	f := w.flow
	f.waiting.Remove(w.place)
	w.flow, w.place = nil, nil
	if f.waiting.Len() == 0 {
		q.levels[f.key.priority].Remove(f.turn)
		delete(q.clients, f.key)
	}
	q.length.Add(-1)
}

// giveUp takes out a request that waits no longer, for a reason. When its turn
// came at the same moment, it has its place after all.
func (q *Queue) giveUp(w *waiter, reason error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.flow == nil {
		return <-w.done
	}
	q.take(w)
	return reason
}

// makeRoom takes out the oldest request of the longest flow, of the lowest
// priority that is not above the one of the request that comes. Called with mu
// held.
func (q *Queue) makeRoom(t Ticket, now time.Time) bool {
	for p := Low; p >= min(t.Priority, Low); p-- {
		if f := longest(&q.levels[p], q.standing(now)); f != nil {
			w := f.oldest()
			q.take(w)
			w.done <- fmt.Errorf("%w: %d requests wait, and a newer one came", ErrFull, q.length.Load()+1)
			return true
		}
		if p == High {
			break
		}
	}
	return false
}

// longest returns the flow with the most requests, of several the one that joined
// first: in a standing queue that is the last.
func longest(line *list.List, standing bool) *flow {
	var most *flow
	for e := line.Front(); e != nil; e = e.Next() {
		f := e.Value.(*flow)
		if most == nil || f.waiting.Len() > most.waiting.Len() || standing && f.waiting.Len() == most.waiting.Len() {
			most = f
		}
	}
	return most
}
