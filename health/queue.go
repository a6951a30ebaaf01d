package health

import (
	"container/heap"
	"context"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// entry is one watched upstream. Between its probes it is in the queue; while
// one runs it belongs to a worker.
type entry struct {
	upstream *balancer.Upstream
	schedule schedule
	line     line
	known    known

	// Guarded by the checker's mu.
	due    time.Time          // when the next probe starts
	soon   time.Time          // when it may start if live traffic asks for it
	place  int                // in the queue; nowhere while a worker has it
	cancel context.CancelFunc // ends the probe that runs; nil before the first
	gone   bool               // no longer watched

	settled bool      // the last probe agreed with the verdict
	heard   time.Time // when others were heard of it
}

const nowhere = -1

// close closes the connections that are kept for the upstream's next probe.
func (e *entry) close() {
	e.line.close()
	e.known.close()
}

// queue is the entries that wait, the one that is due first in front. Call its
// methods add, fix and remove; the others are the heap's.
type queue []*entry

func (q *queue) add(e *entry)    { heap.Push(q, e) }
func (q *queue) fix(e *entry)    { heap.Fix(q, e.place) }
func (q *queue) remove(e *entry) { heap.Remove(q, e.place) }

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	old := *q
	last := len(old) - 1
	e := old[last]
	old[last] = nil
	*q = old[:last]
	e.place = nowhere
	return e
}
