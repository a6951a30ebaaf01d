package proxy

// Tracer adds requests to traces. It must be safe for concurrent use.
type Tracer interface {
	// Begin returns the trace of a new request. If the peer is not trusted, Begin should
	// ignore its sampling decision.
	Begin(r *Request, trusted bool) Trace
}

// Trace is one request in a trace. It belongs to the request's goroutine.
type Trace interface {
	// ID returns the trace's ID, for the log.
	ID() string
	// Attempt returns a new span, and the traceparent that makes the upstream's work part
	// of it.
	Attempt() (traceparent string, span SpanID)
	// End is called when the request has ended. It must not keep the record.
	End(r *Record)
}

// Spanned is a [Trace] that knows the request's own span, so that log records can refer to
// it.
type Spanned interface {
	// Span returns the span, and whether it is recorded.
	Span() (id SpanID, recorded bool)
}

// SpanID is the ID of a span in a trace. The zero value is no span.
type SpanID [8]byte

// follow begins the request's trace.
func (x *exchange) follow() {
	if t := x.proxy.opts.Trace; t != nil {
		x.trace = t.Begin(x.request, x.peer.trusted)
		x.record.Trace = x.trace.ID()
		if s, ok := x.trace.(Spanned); ok {
			kept := x.recordFields()
			kept.span, kept.recorded = s.Span()
		}
	}
}

// Span returns the request's own span, and whether it is recorded. Without a trace, or if
// the trace is not [Spanned], both are zero.
func (r *Record) Span() (id SpanID, recorded bool) {
	if r.fields == nil {
		return SpanID{}, false
	}
	return r.fields.span, r.fields.recorded
}
