package main

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// ledger records when each request was sent, where it was executed, and when backends
// were faulty. It is safe for concurrent use.
type ledger struct {
	mu         sync.Mutex           // protects the fields below
	sent       map[string]time.Time // send times by id
	long       map[string]bool      // ids of slow requests
	executions map[string][]execution
	outs       map[string][]period // faulty periods by backend
}

// execution is one execution of a request by a backend, from the time at which the
// client sent it.
type execution struct {
	backend string
	period
}

// period is a time span; a zero to means that it has not ended.
type period struct{ from, to time.Time }

func (p period) meets(other period) bool {
	return (p.to.IsZero() || !p.to.Before(other.from)) && (other.to.IsZero() || !other.to.Before(p.from))
}

func newLedger() *ledger {
	return &ledger{
		sent:       map[string]time.Time{},
		long:       map[string]bool{},
		executions: map[string][]execution{},
		outs:       map[string][]period{},
	}
}

// sends records that a client sends a request now, and whether it is slow.
func (l *ledger) sends(id string, long bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[id] = time.Now()
	l.long[id] = long
}

// began records that a backend executes a request, "METHOD id", and ended that the
// execution has ended, with or without an answer.
func (l *ledger) began(backend, request string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, id, _ := strings.Cut(request, " ")
	from, known := l.sent[id]
	if !known {
		from = time.Now()
	}
	l.executions[request] = append(l.executions[request], execution{backend, period{from: from}})
}

func (l *ledger) ended(backend, request string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.executions[request]
	for i := range all {
		if all[i].backend == backend && all[i].to.IsZero() {
			all[i].to = time.Now()
			return
		}
	}
}

// out records that a backend is faulty from now on, and back that it is not.
func (l *ledger) out(backend string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	spans := l.outs[backend]
	if last := len(spans) - 1; last < 0 || !spans[last].to.IsZero() {
		l.outs[backend] = append(spans, period{from: time.Now()})
	}
}

func (l *ledger) back(backend string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	spans := l.outs[backend]
	if last := len(spans) - 1; last >= 0 && spans[last].to.IsZero() {
		spans[last].to = time.Now()
	}
}

// duplicated returns the number of POSTs that were executed more than once, on any
// backends.
func (l *ledger) duplicated() int {
	return l.count(func(request string, all []execution) bool { return isPost(request) && len(all) > 1 })
}

// repeated returns how many other requests healthy backends executed more than once. An
// execution does not count if its backend was faulty at any time from the sending of
// the request to the end of the execution. long is the number of slow requests among
// them.
func (l *ledger) repeated() (n, long int) {
	n = l.count(l.again)
	return n, l.count(func(request string, all []execution) bool {
		_, id, _ := strings.Cut(request, " ")
		return l.long[id] && l.again(request, all)
	})
}

// again reports whether a request is one of those. mu must be held.
func (l *ledger) again(request string, all []execution) bool {
	n := 0
	for _, e := range all {
		if l.well(e) {
			n++
		}
	}
	return !isPost(request) && n > 1
}

func (l *ledger) count(is func(request string, all []execution) bool) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for request, all := range l.executions {
		if is(request, all) {
			n++
		}
	}
	return n
}

// well reports whether the backend was healthy during an execution. mu must be held.
func (l *ledger) well(e execution) bool {
	for _, out := range l.outs[e.backend] {
		if out.meets(e.period) {
			return false
		}
	}
	return true
}

func isPost(request string) bool { return strings.HasPrefix(request, http.MethodPost+" ") }
