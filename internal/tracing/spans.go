//go:build !minimal

package tracing

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/goodgate/goodgate/proxy"
)

// record turns a request's record into spans. Names and values follow the semantic
// conventions of OpenTelemetry for HTTP. Other names begin with goodgate.
func (p *place) record(tracer trace.Tracer, r *proxy.Record) {
	ctx := context.Background()
	if p.parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, p.parent.WithTraceState(copied(p.parent.TraceState())))
	}
	ctx, span := tracer.Start(p.giving(ctx, p.span), method(r.Method)+" "+cmp.Or(r.Route, "no route"),
		trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(r.Start), trace.WithAttributes(requestAttributes(r)...))
	if r.Asked != nil {
		p.asked(ctx, tracer, r)
	}
	for i := range r.Attempts {
		p.attempt(ctx, tracer, r.Start, method(r.Method), r.Attempts, i)
	}
	if r.Escaped() || r.Reason.Fault() == reason.FaultProxy {
		span.SetStatus(codes.Error, r.Reason.String())
	}
	span.End(trace.WithTimestamp(r.Start.Add(r.Duration)))
}

// asked creates the span of forward auth, with those of its requests to the service.
func (p *place) asked(ctx context.Context, tracer trace.Tracer, r *proxy.Record) {
	a := r.Asked
	began := r.Start.Add(a.After)
	ctx, span := tracer.Start(p.giving(ctx, newSpan()), "forward auth", trace.WithTimestamp(began), trace.WithAttributes(
		attribute.String("goodgate.pool", a.Pool), attribute.String("goodgate.auth.outcome", a.Outcome.String())))
	for i := range a.Attempts {
		p.attempt(ctx, tracer, began, http.MethodGet, a.Attempts, i)
	}
	if a.Err != nil {
		span.SetStatus(codes.Error, reason.AuthUnavailable.String()+": "+cut(a.Err.Error(), maxError))
	}
	span.End(trace.WithTimestamp(began.Add(a.Took)))
}

// attempt creates the span of one of a request's attempts, which ends with the response
// header or the failure.
func (p *place) attempt(ctx context.Context, tracer trace.Tracer, start time.Time, method string, all []proxy.Attempt, i int) {
	a := &all[i]
	began := start.Add(a.After)
	attrs := []attribute.KeyValue{
		attribute.String("http.request.method", method),
		attribute.String("server.address", a.Upstream),
		attribute.String("goodgate.decision", a.Decision.String()),
		attribute.Bool("goodgate.connection.reused", a.Reused),
	}
	if i > 0 {
		attrs = append(attrs, attribute.Int("http.request.resend_count", i))
	}
	if a.Status != 0 {
		attrs = append(attrs, attribute.Int("http.response.status_code", a.Status))
	}
	if a.Reason != reason.None {
		attrs = append(attrs, attribute.String("error.type", a.Reason.String()))
	}
	_, span := tracer.Start(p.giving(ctx, trace.SpanID(a.Span)), method,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(began), trace.WithAttributes(attrs...))
	if a.Reason != reason.None {
		what := a.Reason.String()
		if a.Err != nil {
			what += ": " + cut(a.Err.Error(), maxError)
		}
		span.SetStatus(codes.Error, what)
	}
	span.End(trace.WithTimestamp(began.Add(a.Took)))
}

func requestAttributes(r *proxy.Record) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		attribute.String("http.request.method", method(r.Method)),
		attribute.String("url.path", cut(r.Path, maxPath)),
		attribute.String("server.address", cut(r.Host, maxHost)),
		attribute.Int("http.response.status_code", r.Status),
		attribute.Int64("http.request.body.size", r.Received),
		attribute.Int64("http.response.body.size", r.Sent),
		attribute.String("http.route", r.Route),
		attribute.String("goodgate.request_id", cut(r.ID, maxHost)),
		attribute.String("goodgate.pool", r.Pool),
		attribute.String("goodgate.upstream", r.Upstream),
	}
	if r.Client.IsValid() {
		attrs = append(attrs, attribute.String("client.address", r.Client.String()))
	}
	if r.Held > 0 {
		attrs = append(attrs, attribute.Float64("goodgate.held_ms", float64(r.Held)/float64(time.Millisecond)))
	}
	if r.Reason != reason.None {
		attrs = append(attrs, attribute.String("error.type", r.Reason.String()))
	}
	if r.Absorbed != reason.ByNothing {
		attrs = append(attrs, attribute.String("goodgate.absorbed_by", r.Absorbed.String()), attribute.String("goodgate.hidden", r.Hidden.String()))
	}
	if r.SavedBy != "" {
		attrs = append(attrs, attribute.String("goodgate.saved_by", r.SavedBy))
	}
	return attrs
}

// giving sets the ID of the next span under ctx.
func (p *place) giving(ctx context.Context, s trace.SpanID) context.Context {
	return context.WithValue(ctx, givenKey{}, givenIDs{p.id, s})
}

// Limits on the values that clients choose, in bytes. Spans wait in memory while their
// receiver does not answer.
const (
	maxPath  = 1024
	maxHost  = 256
	maxError = 256
	maxState = 512 // required by W3C Trace Context, section 3.3.1.5
)

// cut returns a copy of at most n bytes of a text. The original is a part of the
// request's header and would keep all of it in memory.
func cut(s string, n int) string {
	if len(s) <= n {
		return strings.Clone(s)
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// copied returns a copy of a tracestate, an empty one if it is too long.
func copied(s trace.TraceState) (own trace.TraceState) {
	if text := s.String(); len(text) <= maxState {
		own, _ = trace.ParseTraceState(text) // it has already been parsed
	}
	return own
}

// method maps a client's method to the known set, as the conventions require.
func method(m string) string {
	for _, known := range [...]string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace} {
		if m == known {
			return known // m is a part of the request's header and would keep all of it in memory
		}
	}
	return "_OTHER"
}
