package demo

import "sync"

// ledgerSize is the number of remembered POSTs. At the highest rate this covers the
// longest time in flight.
const ledgerSize = 1 << 16

// ledger counts POSTs that the backends together executed more than once.
type ledger struct {
	mu     sync.Mutex          // protects the fields below
	seen   map[uint64]struct{} // numbers of remembered requests
	order  []uint64            // ring of the same numbers
	next   int
	posts  int
	double int
}

func newLedger() *ledger {
	return &ledger{seen: make(map[uint64]struct{})}
}

// executed records that a backend has executed the POST with this number.
func (l *ledger) executed(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.seen[number]; ok {
		l.double++
		return
	}
	l.posts++
	l.seen[number] = struct{}{}
	if len(l.order) < ledgerSize {
		l.order = append(l.order, number)
		return
	}
	delete(l.seen, l.order[l.next])
	l.order[l.next] = number
	l.next = (l.next + 1) % ledgerSize
}

// counts returns the number of executed POSTs, and of surplus executions.
func (l *ledger) counts() (posts, double int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.posts, l.double
}
