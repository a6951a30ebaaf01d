package main

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// ledger knows when each request was sent and where it was executed, and when
// backends were out. It may be used by several goroutines.
type ledger struct {
	mu         sync.Mutex           // protects the fields below
	sent       map[string]time.Time // by id
	long       map[string]bool      // ids of requests that take a while
	executions map[string][]execution
	outs       map[string][]period // by backend
}

// execution is one execution of a request by a backend, from the moment at which
// the client sent it.
type execution struct {
	backend string
	period
}

// period is a time from one moment to another; a zero to means that it lasts.
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

// sends notes that a client sends a request now, and whether it takes a while.
func (l *ledger) sends(id string, long bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[id] = time.Now()
	l.long[id] = long
}

// began and ended note that a backend executes a request, "METHOD id", and that
// it has come to an end with it, with or without an answer.
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

// out and back note that a backend is faulty from now on, and that it is not.
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

// duplicated returns how many POSTs were executed more than once, on whatever
// backend.
func (l *ledger) duplicated() int {
	return l.count(func(request string, all []execution) bool { return isPost(request) && len(all) > 1 })
}

// repeated returns how many other requests were executed more than once by
// backends that were well. An execution does not count when its backend was out
// at any moment between the client's sending of the request and the execution's
// end. Of those, long is how many take a while by themselves.
func (l *ledger) repeated() (n, long int) {
	n = l.count(l.again)
	return n, l.count(func(request string, all []execution) bool {
		_, id, _ := strings.Cut(request, " ")
		return l.long[id] && l.again(request, all)
	})
}

// again reports whether a request is one of those. The caller holds mu.
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

// well reports whether the backend was during an execution. The caller holds mu.
func (l *ledger) well(e execution) bool {
	for _, out := range l.outs[e.backend] {
		if out.meets(e.period) {
			return false
		}
	}
	return true
}

func isPost(request string) bool { return strings.HasPrefix(request, http.MethodPost+" ") }
