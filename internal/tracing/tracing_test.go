//go:build !minimal

package tracing

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/lab/otlptest"
	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/proxy"
)

// receiver takes OTLP over HTTP.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex // protects the fields below
	status int        // 0 = take it
	keys   []string   // the X-Key of each call
	spans  []*otlp.Span
	about  map[string]string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	rc := &receiver{about: map[string]string{}}
	rc.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := otlptest.Read(t, r)
		rc.mu.Lock()
		defer rc.mu.Unlock()
		rc.keys = append(rc.keys, r.Header.Get("X-Key"))
		if rc.status != 0 {
			w.WriteHeader(rc.status)
			return
		}
		for _, rs := range call.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				rc.about[a.Key] = a.Value.GetStringValue()
			}
			for _, ss := range rs.ScopeSpans {
				rc.spans = append(rc.spans, ss.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(rc.Close)
	return rc
}

// setup is a traced proxy in front of an upstream that refuses and one that
// answers.
type setup struct {
	url  string
	stop func() // ends the tracer, so that all spans are there
	log  *bytes.Buffer
	mu   sync.Mutex // protects seen
	seen []http.Header
}

func start(t *testing.T, o Options) *setup {
	t.Helper()
	s := &setup{log: &bytes.Buffer{}}
	o.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = append(s.seen, r.Header)
		if r.URL.Path == "/sick" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(app.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	pool, err := proxy.NewPool(balancer.Options{Name: "app", Policy: "first"}, proxy.PoolOptions{
		Retry: proxy.Retry{Attempts: 2, BudgetMin: 10, Statuses: []int{503}},
	})
	if err != nil {
		t.Fatal(err)
	}
	pool.Update([]balancer.Spec{{Addr: strings.TrimPrefix(gone.URL, "http://")}, {Addr: strings.TrimPrefix(app.URL, "http://")}})
	t.Cleanup(func() { pool.Update(nil) })
	guarded := proxy.Route{Name: "guarded", Match: proxy.Match{Path: "/guarded"}, Pool: pool, Access: proxy.Access{Forward: &proxy.ForwardAuth{Pool: pool, Path: "/auth"}}}
	tracer, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	tracer.Start()
	p, err := proxy.New(proxy.Options{
		Routes: []proxy.Route{guarded, {Name: "all", Pool: pool}}, Trace: tracer,
		Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(p)
	t.Cleanup(front.Close)
	s.url = front.URL
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { tracer.Run(ctx) })
	s.stop = func() {
		front.Close() // waits for the requests' ends
		cancel()
		wg.Wait()
	}
	t.Cleanup(s.stop)
	return s
}

func (s *setup) get(t *testing.T, path string, header ...string) {
	t.Helper()
	r, err := http.NewRequest("GET", s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

func valueOf(s *otlp.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

const (
	parentTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	parentSpan  = "00f067aa0ba902b7"
	traceparent = "00-" + parentTrace + "-" + parentSpan + "-01"
)

// TestSpans: a request is a span below its sender's, and each attempt is one
// below that, whose ID the upstream got.
func TestSpans(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	s := start(t, Options{Endpoint: rc.URL + "/v1/traces", Sample: 0, Service: "gate", Version: "1.2", Headers: map[string]string{"X-Key": "secret"}})
	s.get(t, "/path?q=1", "traceparent", traceparent, "tracestate", "vendor=1", "baggage", "user=2")
	s.stop()
	if len(rc.spans) != 3 {
		t.Fatalf("got %d spans, want one of the request and two of attempts", len(rc.spans))
	}
	i := slices.IndexFunc(rc.spans, func(s *otlp.Span) bool { return s.Kind == otlp.Span_SPAN_KIND_SERVER })
	root := rc.spans[i]
	attempts := slices.Delete(slices.Clone(rc.spans), i, i+1)
	for _, span := range rc.spans {
		if got := hex.EncodeToString(span.TraceId); got != parentTrace {
			t.Errorf("trace of %s: got %s", span.Name, got)
		}
	}
	if got := hex.EncodeToString(root.ParentSpanId); got != parentSpan || root.Name != "GET all" {
		t.Errorf("the request %q is below %s, want %s", root.Name, got, parentSpan)
	}
	if got := valueOf(root, "goodgate.absorbed_by"); !strings.Contains(got, "retry") {
		t.Errorf("absorbed by %s", got)
	}
	if got := valueOf(root, "url.path"); !strings.Contains(got, `"/path"`) {
		t.Errorf("path: got %s", got)
	}
	refused, answered := attempts[0], attempts[1]
	for _, a := range attempts {
		if !bytes.Equal(a.ParentSpanId, root.SpanId) || a.Kind != otlp.Span_SPAN_KIND_CLIENT {
			t.Errorf("the attempt is not below the request: %v", a)
		}
		if a.StartTimeUnixNano < root.StartTimeUnixNano || a.EndTimeUnixNano > root.EndTimeUnixNano {
			t.Errorf("the attempt lies outside the request")
		}
	}
	if got := valueOf(refused, "error.type"); !strings.Contains(got, "connect_refused") || refused.Status.Code != otlp.Status_STATUS_CODE_ERROR {
		t.Errorf("first attempt: got %s, %v", got, refused.Status)
	}
	got := s.seen[0]
	if want := "00-" + parentTrace + "-" + hex.EncodeToString(answered.SpanId) + "-01"; got.Get("traceparent") != want {
		t.Errorf("traceparent: got %s, want %s", got.Get("traceparent"), want)
	}
	if got.Get("tracestate") != "vendor=1" || got.Get("baggage") != "user=2" {
		t.Errorf("not passed on: %v", got)
	}
	if rc.about["service.name"] != "gate" || rc.about["service.version"] != "1.2" || rc.keys[0] != "secret" {
		t.Errorf("got %v, %v", rc.about, rc.keys)
	}
}

// TestForwardAuth: the question about a request is a span below the request's, and its
// attempts are spans below that one.
func TestForwardAuth(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	s := start(t, Options{Endpoint: rc.URL, Sample: 1, Service: "gate"})
	s.get(t, "/guarded", "traceparent", traceparent)
	s.stop()
	below := map[string][]*otlp.Span{} // by the parent's ID
	for _, span := range rc.spans {
		below[hex.EncodeToString(span.ParentSpanId)] = append(below[hex.EncodeToString(span.ParentSpanId)], span)
	}
	roots := below[parentSpan]
	if len(roots) != 1 || roots[0].Name != "GET guarded" {
		t.Fatalf("below the client's span: %v", roots)
	}
	under := below[hex.EncodeToString(roots[0].SpanId)]
	i := slices.IndexFunc(under, func(s *otlp.Span) bool { return s.Name == "forward auth" })
	if i < 0 || len(under) != 3 {
		t.Fatalf("below the request's span: %v, want the question and two attempts", under)
	}
	question := under[i]
	if got := valueOf(question, "goodgate.auth.outcome") + valueOf(question, "goodgate.pool"); !strings.Contains(got, "admitted") || !strings.Contains(got, "app") {
		t.Errorf("the question has %s", got)
	}
	tries := below[hex.EncodeToString(question.SpanId)]
	if len(tries) != 2 {
		t.Fatalf("below the question: %v, want two attempts", tries)
	}
	for _, span := range tries {
		if span.StartTimeUnixNano < question.StartTimeUnixNano || span.EndTimeUnixNano > question.EndTimeUnixNano {
			t.Error("an attempt lies outside the question")
		}
	}
}

// TestSampling: a request that is not recorded continues with its own ID, and is marked
// as not recorded.
func TestSampling(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sample float64
		parent string
		want   string // flags that the upstream got
	}{
		"all":             {1, "", "01"},
		"none":            {0, "", "00"},
		"parent says no":  {1, strings.TrimSuffix(traceparent, "1") + "0", "00"},
		"parent says yes": {0, traceparent, "01"},
		"malformed":       {1, "00-xyz", "01"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rc := newReceiver(t)
			s := start(t, Options{Endpoint: rc.URL, Sample: c.sample, Service: "gate"})
			s.get(t, "/", "traceparent", c.parent)
			s.stop()
			got := s.seen[0].Get("traceparent")
			if !strings.HasSuffix(got, "-"+c.want) || len(got) != len(traceparent) || strings.Contains(got, parentSpan) {
				t.Errorf("traceparent: got %s, want a new span with flags %s", got, c.want)
			}
			if recorded := len(rc.spans) > 0; recorded != (c.want == "01") {
				t.Errorf("got %d spans", len(rc.spans))
			}
		})
	}
}

// TestUntrusted: an untrusted client cannot force every request to be recorded.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	tracer := unsent(t, 0)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Traceparent", traceparent)
	if got, _ := tracer.Begin(message.FromHTTP(r), false).Attempt(); !strings.HasPrefix(got, "00-"+parentTrace) || !strings.HasSuffix(got, "-00") {
		t.Errorf("got %s, want the same trace, not recorded", got)
	}
	const n = 4000
	recorded := 0
	tracer = unsent(t, 0.25)
	for range n {
		if tracer.Begin(message.FromHTTP(r), false).(*place).sampled {
			recorded++
		}
	}
	if recorded < n/5 || recorded > n*3/10 {
		t.Errorf("recorded %d of %d, want about a quarter", recorded, n)
	}
}

// TestEscaped: a gateway error for the client is an error in the trace.
func TestEscaped(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	s := start(t, Options{Endpoint: rc.URL, Sample: 1, Service: "gate"})
	s.get(t, "/sick")
	s.stop()
	for _, span := range rc.spans {
		if span.Kind == otlp.Span_SPAN_KIND_SERVER && (span.Status.Code != otlp.Status_STATUS_CODE_ERROR || span.Status.Message != "upstream_status") {
			t.Errorf("status: got %v", span.Status)
		}
	}
}

// TestReceiverFails: the log reports a failing receiver once, and requests are not
// affected.
func TestReceiverFails(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.status = http.StatusForbidden
	s := start(t, Options{Endpoint: rc.URL + "/s3cr3t?s3cr3t", Sample: 1, Service: "gate"})
	s.get(t, "/")
	s.stop()
	if got := strings.Count(s.log.String(), "traces not sent"); got != 1 {
		t.Errorf("the log says so %d times, want once:\n%s", got, s.log)
	}
	if log := s.log.String(); !strings.Contains(log, "answered 403") || strings.Contains(log, "s3cr3t") {
		t.Errorf("it does not say why, or where:\n%s", log)
	}
}

// A redirect is not followed: it would take the key in the headers along.
func TestReceiverRedirects(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("%d was followed: %s %s with the key %q", status, r.Method, r.URL, r.Header.Get("X-Key"))
		}))
		rc := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/metadata", status))
		s := start(t, Options{Endpoint: rc.URL + "/v1/traces", Headers: map[string]string{"X-Key": "secret"}, Sample: 1, Service: "goodgate"})
		s.get(t, "/x")
		s.stop()
		if got := s.log.String(); !strings.Contains(got, "traces not sent") {
			t.Errorf("%d: not told of in the log:\n%s", status, got)
		}
		rc.Close()
		elsewhere.Close()
	}
}

// BenchmarkNotRecorded measures the cost of tracing for a request that is not recorded.
func BenchmarkNotRecorded(b *testing.B) {
	tracer := unsent(b, 0)
	r := httptest.NewRequest("GET", "/", nil)
	rec := &proxy.Record{Start: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		p := tracer.Begin(message.FromHTTP(r), false)
		p.Attempt()
		p.End(rec)
	}
}

// unsent returns a tracer that is never started.
func unsent(t testing.TB, sample float64) *Tracer {
	t.Helper()
	tracer, err := New(Options{Endpoint: "http://127.0.0.1:1", Sample: sample, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}
