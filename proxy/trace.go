package proxy

// Tracer gives requests their place in traces. It is safe for concurrent use.
type Tracer interface {
	// Begin is told of a request that has come in. Of a peer that is not trusted
	// it should not believe that the request is worth being recorded.
	Begin(r *Request, trusted bool) Trace
}

// Trace is the place of one request in a trace. It belongs to the request's
// goroutine.
type Trace interface {
	// ID returns the trace's ID, for the log.
	ID() string
	// Attempt returns a new span, and the traceparent that makes the upstream's work
	// part of it.
	Attempt() (traceparent string, span SpanID)
	// End is told of the request when it has ended, and must not keep the record.
	End(r *Record)
}

// SpanID is the ID of a span in a trace; the zero value is none.
type SpanID [8]byte

// follow begins the request's trace.
func (x *exchange) follow() {
	if t := x.proxy.opts.Trace; t != nil {
		x.trace = t.Begin(x.request, x.peer.trusted)
		x.record.Trace = x.trace.ID()
	}
}
