package limit

import (
	"fmt"
	"time"
)

// waiter is a request that waits. Its fields, but for done, belong to the
// queue's lock.
type waiter struct {
	done         chan error // gets one value, when the wait ends by the queue's hand
	began        time.Time
	until        time.Time // when to look whether it has waited enough; its goroutine's
	deadline     time.Time // zero = none
	flow         *flow     // nil when it no longer waits
	newer, older *waiter
}

type flowKey struct {
	priority Priority
	client   uint64
}

// flow is the waiting requests of one client.
type flow struct {
	key            flowKey
	newest, oldest *waiter
	length         int
	line           *line // where its turn comes
	prev, next     *flow
}

// line is the flows of one priority in the order of their turns: those that
// have just come, and then the others in rounds.
type line struct {
	first, last *flow
}

// join puts a request into its client's flow. Called with mu held.
func (q *Queue) join(w *waiter, t Ticket, now time.Time) {
	key := flowKey{min(t.Priority, Low), t.Client}
	f := q.clients[key]
	if f == nil {
		f = &flow{key: key}
		q.clients[key] = f
		if q.standing(now) {
			q.levels[key.priority].pushFront(f)
		} else {
			q.levels[key.priority].pushBack(f)
		}
	}
	f.push(w)
	if q.length.Add(1) == 1 {
		q.since, q.came, q.went, q.grows = now, 0, 0, false
	}
	q.watch(now)
}

// next takes out the request whose turn it is. The queue is not empty. Called
// with mu held.
func (q *Queue) next(standing bool) *waiter {
	for i := range q.levels {
		f := q.levels[i].first
		if f == nil {
			continue
		}
		w := f.oldest
		if standing {
			w = f.newest
		}
		q.levels[i].remove(f)
		q.levels[i].pushBack(f)
		q.take(w)
		return w
	}
	panic("limit: the queue's length is wrong")
}

// take takes a request out. Called with mu held.
func (q *Queue) take(w *waiter) {
	f := w.flow
	f.drop(w)
	if f.length == 0 {
		f.line.remove(f)
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
		if f := q.levels[p].longest(q.standing(now)); f != nil {
			w := f.oldest
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
func (l *line) longest(standing bool) *flow {
	var most *flow
	for f := l.first; f != nil; f = f.next {
		if most == nil || f.length > most.length || standing && f.length == most.length {
			most = f
		}
	}
	return most
}

func (l *line) pushBack(f *flow) {
	f.line, f.prev, f.next = l, l.last, nil
	if l.last != nil {
		l.last.next = f
	} else {
		l.first = f
	}
	l.last = f
}

func (l *line) pushFront(f *flow) {
	f.line, f.prev, f.next = l, nil, l.first
	if l.first != nil {
		l.first.prev = f
	} else {
		l.last = f
	}
	l.first = f
}

func (l *line) remove(f *flow) {
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		l.first = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	} else {
		l.last = f.prev
	}
	f.prev, f.next = nil, nil
}

func (f *flow) push(w *waiter) {
	w.flow, w.older = f, f.newest
	if f.newest != nil {
		f.newest.newer = w
	} else {
		f.oldest = w
	}
	f.newest = w
	f.length++
}

func (f *flow) drop(w *waiter) {
	if w.newer != nil {
		w.newer.older = w.older
	} else {
		f.newest = w.older
	}
	if w.older != nil {
		w.older.newer = w.newer
	} else {
		f.oldest = w.newer
	}
	w.flow, w.newer, w.older = nil, nil, nil
	f.length--
}
