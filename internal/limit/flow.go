package limit

import (
	"container/list"
	"fmt"
	"time"
)

// waiter is a waiting request. The queue's lock protects its fields, except done and
// until.
type waiter struct {
	done     chan error // gets one value if the queue ends the wait
	began    time.Time
	until    time.Time     // time of the next check; belongs to the waiting goroutine
	deadline time.Time     // zero = none
	patience time.Duration // longest wait in a standing queue
	flow     *flow         // nil after the wait
	place    *list.Element // in its flow
}

type flowKey struct {
	priority Priority
	client   uint64
}

// flow is the waiting requests of one client, oldest first.
type flow struct {
	key     flowKey
	waiting list.List     // of *waiter
	line    *list.List    // the line that it is in
	turn    *list.Element // in line
}

// level is the flows of one priority, in two lines: new flows go before those that have
// had a turn (RFC 8290, section 4.2).
type level struct{ fresh, rounds list.List } // of *flow

// first returns the flow whose turn it is, nil if there is none.
func (l *level) first() *flow {
	for _, line := range []*list.List{&l.fresh, &l.rounds} {
		if e := line.Front(); e != nil {
			return e.Value.(*flow)
		}
	}
	return nil
}

// put adds a new flow to the line of new flows. It goes to the end, but to the front if
// even new flows wait for long.
func (l *level) put(f *flow, now time.Time) {
	f.line = &l.fresh
	if e := l.fresh.Front(); e != nil && now.Sub(e.Value.(*flow).oldest().began) > brief/2 {
		f.turn = l.fresh.PushFront(f)
		return
	}
	f.turn = l.fresh.PushBack(f)
}

// served puts a flow that has had a turn behind all others.
func (l *level) served(f *flow) {
	f.line.Remove(f.turn)
	f.line = &l.rounds
	f.turn = l.rounds.PushBack(f)
}

func (f *flow) oldest() *waiter { return f.waiting.Front().Value.(*waiter) }
func (f *flow) newest() *waiter { return f.waiting.Back().Value.(*waiter) }

// join adds a request to its client's flow. mu must be held.
func (q *Queue) join(w *waiter, t Ticket, now time.Time) {
	key := flowKey{min(t.Priority, Low), t.Client}
	f := q.clients[key]
	w.patience = brief
	if f == nil {
		w.patience = fresh
		f = &flow{key: key}
		q.clients[key] = f
		q.levels[key.priority].put(f, now)
	}
	w.flow, w.place = f, f.waiting.PushBack(w)
	if q.length.Add(1) == 1 {
		q.since, q.came, q.went, q.proved = now, 0, 0, false
		q.grows = now.Sub(q.stood) < q.opts.MaxWait // an overload does not end because the queue is empty for a moment
	}
	q.watch(now)
}

// next removes the request whose turn it is. The queue must not be empty, and mu must be
// held.
func (q *Queue) next(standing bool) *waiter {
	for i := range q.levels {
		f := q.levels[i].first()
		if f == nil {
			continue
		}
		w := f.oldest()
		if standing {
			w = f.newest()
		}
		q.levels[i].served(f)
		q.take(w)
		return w
	}
	panic("limit: the queue's length is wrong")
}

// take removes a request. mu must be held.
func (q *Queue) take(w *waiter) {
	f := w.flow
	f.waiting.Remove(w.place)
	w.flow, w.place = nil, nil
	if f.waiting.Len() == 0 {
		f.line.Remove(f.turn)
		delete(q.clients, f.key)
	}
	q.length.Add(-1)
}

// giveUp removes a request that stops waiting for a reason. If its turn came at the same
// moment, it gets its place.
func (q *Queue) giveUp(w *waiter, reason error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.flow == nil {
		return <-w.done
	}
	q.take(w)
	return reason
}

// makeRoom removes the oldest request of the longest flow, of the lowest priority that is
// not above that of the new request. mu must be held.
func (q *Queue) makeRoom(t Ticket, now time.Time) bool {
	for p := Low; p >= min(t.Priority, Low); p-- {
		if f := q.levels[p].longest(q.standing(now)); f != nil {
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

// longest returns the flow with the most requests. Among equals it is the one whose turn
// comes first, in a standing queue last.
func (l *level) longest(standing bool) *flow {
	var most *flow
	for _, line := range []*list.List{&l.fresh, &l.rounds} {
		for e := line.Front(); e != nil; e = e.Next() {
			f := e.Value.(*flow)
			if most == nil || f.waiting.Len() > most.waiting.Len() || standing && f.waiting.Len() == most.waiting.Len() {
				most = f
			}
		}
	}
	return most
}
