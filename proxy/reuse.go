package proxy

import "net/http"

// An exchange is large, and most are simple: this file gives the room of one that
// is over to a later request. That is done only where it is certain that nobody
// has the exchange any more; all others are the garbage collector's.

// lasting is what of an exchange may be looked at when that is over: the attempts
// by an observer that has copied the record, the answer's fields by a server that
// writes them once its handler has returned.
type lasting struct {
	ledger  [1]Attempt // room for record.Attempts
	answer  [3]string  // room for values of the answer's header
	nanswer int
}

// single is [exchange.single] for the answer.
func (l *lasting) single(v string) []string {
	if l.nanswer == len(l.answer) {
		return []string{v}
	}
	i := l.nanswer
	l.nanswer++
	l.answer[i] = v
	return l.answer[i : i+1 : i+1]
}

// Done notes that somebody may from now on wait for the end of the exchange.
func (x *exchange) Done() <-chan struct{} {
	x.watched.Store(true)
	return x.Context.Done()
}

// empty returns an exchange of zeros.
func (p *Proxy) empty() *exchange {
	if x, ok := p.spare.Get().(*exchange); ok {
		return x
	}
	return new(exchange)
}

// recycle gives the room back, if nobody has it any more. The request has been
// answered and accounted for without a panic.
func (x *exchange) recycle() {
	if p := x.proxy; x.reusable() {
		*x = exchange{}
		p.spare.Put(x)
	}
}

// reusable reports whether the exchange was nothing but one attempt on a
// connection of HTTP/1 that was there, whose answer was collected whole. No other
// goroutine has taken part in it then, and nobody was told when it ends.
func (x *exchange) reusable() bool {
	simple := x.request.ProtoMajor == 1 && x.body == nil && x.unbound == nil && x.limit == nil && x.trace == nil &&
		x.tunnel == nil && x.lone == nil && x.race == nil && x.held == nil && !x.aborted && !x.watched.Load()
	if !simple {
		return false
	}
	rec := &x.record
	if len(rec.Attempts) != 1 || rec.Reason != None || rec.Absorbed != ByNothing || rec.Held > 0 || rec.Queued > 0 || rec.Fallback != "" {
		return false
	}
	t := &x.room
	if t.failed != nil || t.res == nil || t.res.ProtoMajor != 1 || t.res.StatusCode == http.StatusSwitchingProtocols || t.limit != nil || !t.wire.Reused {
		return false
	}
	return x.begun.complete && x.begun.room == nil && x.route.Pool.stale == nil && x.writer.err == nil
}
