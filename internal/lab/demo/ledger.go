package demo

import "sync"

// ledgerSize is how many POSTs are remembered: at the highest rate, more than a
// request can be on its way.
const ledgerSize = 1 << 16

// ledger counts POSTs that were executed twice, by any of the backends.
type ledger struct {
	mu     sync.Mutex          // protects the fields below
	seen   map[uint64]struct{} // numbers of requests
	order  []uint64            // a ring of the same
	next   int
	posts  int
	double int
}

func newLedger() *ledger {
	return &ledger{seen: make(map[uint64]struct{})}
}

// executed notes that a backend executed the POST with this number.
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

// counts returns the number of POSTs executed, and of executions too many.
func (l *ledger) counts() (posts, double int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.posts, l.double
}
