package health

import (
	"container/heap"
	"context"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// entry is one watched upstream. Between its probes it is in the queue; during a probe it
// belongs to a worker.
type entry struct {
	upstream *balancer.Upstream
	schedule schedule
	line     line
	known    known

	// Guarded by the checker's mu.
	due    time.Time          // when the next probe starts
	soon   time.Time          // earliest start if live traffic asks for a probe
	place  int                // index in the queue; nowhere while a worker has it
	cancel context.CancelFunc // ends the current probe; nil before the first
	gone   bool               // no longer watched

	settled bool      // the last probe agreed with the verdict
	heard   time.Time // last report of another process
}

const nowhere = -1

// close closes the connections that are kept for the upstream's next probe.
func (e *entry) close() {
	e.line.close()
	e.known.close()
}

// queue has the waiting entries, the first due one in front. Use add, fix and remove; the
// other methods are for the heap.
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
