//go:build !minimal

package tracing

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/goodgate/goodgate/internal/otlp"
	"github.com/goodgate/goodgate/proxy"
)

// Limits on sending.
const (
	sendTimeout = 10 * time.Second
	endTimeout  = 5 * time.Second // at the end, for the last spans
	queueSize   = 4096            // waiting spans; more are dropped
)

// Tracer is a [proxy.Tracer].
type Tracer struct {
	opts     Options
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	bound    uint64 // limit on a random number below which a request is recorded
	exporter *reporting
	client   *uploader

	mu   sync.RWMutex // held for reading while a request is recorded; protects heir
	heir *Tracer      // records the requests that have not ended; nil = this one does
}

// New returns a tracer that accepts no spans before Start. An error is about the
// endpoint.
func New(o Options) (*Tracer, error) {
	about := otlp.Source{Service: o.Service, Version: o.Version}.Attributes()
	p := sdk.NewTracerProvider(
		sdk.WithIDGenerator(given{}),
		sdk.WithSampler(sdk.AlwaysSample()), // Begin has already decided
		sdk.WithResource(resource.NewSchemaless(about...)))
	client := newUploader(o)
	exporter, err := otlptrace.New(context.Background(), client)
	if err != nil {
		return nil, fmt.Errorf("tracing.endpoint: %w", err)
	}
	return &Tracer{
		opts: o, provider: p, tracer: p.Tracer("github.com/goodgate/goodgate"), bound: uint64(o.Sample * (1 << 63)),
		exporter: &reporting{SpanExporter: exporter, log: o.Logger}, client: client,
	}, nil
}

// Start accepts spans from now on. Run must follow.
func (t *Tracer) Start() {
	t.provider.RegisterSpanProcessor(sdk.NewBatchSpanProcessor(t.exporter,
		sdk.WithMaxQueueSize(queueSize), sdk.WithExportTimeout(sendTimeout)))
}

// Run sends spans until ctx ends, and then the last ones, for at most 5 s.
func (t *Tracer) Run(ctx context.Context) {
	defer t.client.client.Close()
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	t.provider.Shutdown(end)
}

// Succeed lets another started tracer record the requests that began with this one and
// have not ended. This one gets no more spans.
func (t *Tracer) Succeed(heir *Tracer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heir = heir
}

// Begin continues the request's trace, or else begins one. A trusted proxy may decide
// whether it is recorded.
func (t *Tracer) Begin(r *proxy.Request, trusted bool) proxy.Trace {
	p := &place{tracer: t}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": r.Field("Traceparent"), "tracestate": r.Field("Tracestate")})
	p.parent = trace.SpanContextFromContext(ctx)
	if p.parent.IsValid() {
		p.id = p.parent.TraceID()
	} else {
		binary.BigEndian.PutUint64(p.id[:8], rand.Uint64())
		binary.BigEndian.PutUint64(p.id[8:], rand.Uint64()|1) // never all zero
	}
	p.span = newSpan()
	if trusted && p.parent.IsValid() {
		p.sampled = p.parent.IsSampled()
	} else { // not from the trace's ID, which the client may have chosen
		p.sampled = rand.Uint64()>>1 < t.bound
	}
	return p
}

func newSpan() (s trace.SpanID) {
	binary.BigEndian.PutUint64(s[:], rand.Uint64()|1)
	return s
}

// place is a [proxy.Trace].
type place struct {
	tracer  *Tracer
	parent  trace.SpanContext // span of the request's sender; invalid without one
	id      trace.TraceID
	span    trace.SpanID // span of the request
	sampled bool
}

// ID returns the trace's ID in hexadecimal digits.
func (p *place) ID() string { return p.id.String() }

// Span returns the request's span, and whether it is recorded.
func (p *place) Span() (proxy.SpanID, bool) { return proxy.SpanID(p.span), p.sampled }

// Attempt implements [proxy.Trace]. It leaves a tracestate and a baggage unchanged.
func (p *place) Attempt() (traceparent string, span proxy.SpanID) {
	s := newSpan()
	flags := "00"
	if p.sampled {
		flags = "01"
	}
	return "00-" + p.id.String() + "-" + s.String() + "-" + flags, proxy.SpanID(s)
}

// End turns the record into spans.
func (p *place) End(r *proxy.Record) {
	if !p.sampled {
		return
	}
	t := p.tracer
	t.mu.RLock()
	for t.heir != nil {
		next := t.heir
		t.mu.RUnlock()
		t = next
		t.mu.RLock()
	}
	defer t.mu.RUnlock()
	p.record(t.tracer, r)
}

// givenKey is the key of the IDs that the next span gets.
type givenKey struct{}

type givenIDs struct {
	trace trace.TraceID
	span  trace.SpanID
}

// given gives spans the IDs that their requests have sent upstream.
type given struct{}

func (given) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	ids, _ := ctx.Value(givenKey{}).(givenIDs)
	return ids.trace, ids.span
}

func (g given) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	_, s := g.NewIDs(ctx)
	return s
}

// reporting logs when sending begins to fail, and when it works again, instead of
// reporting every failure to a process-wide handler.
type reporting struct {
	sdk.SpanExporter
	log     *slog.Logger
	failing atomic.Bool
}

// ExportSpans sends spans. It never returns an error: after a failure the spans are
// lost.
func (e *reporting) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && e.failing.CompareAndSwap(false, true):
		e.log.Warn("traces not sent: goodgate drops them until the collector answers", "spans", len(spans), "error", err)
	case err == nil && e.failing.CompareAndSwap(true, false):
		e.log.Info("traces are sent again")
	}
	return nil
}
