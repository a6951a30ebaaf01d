//go:build !minimal

package logging

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	answers "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/goodgate/goodgate/internal/lab/otlptest"
	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// collector takes log records by OTLP over HTTP.
type collector struct {
	*httptest.Server
	answer func(w http.ResponseWriter, call int) bool // whether the records were taken; nil = yes

	mu      sync.Mutex // protects the fields below
	calls   int
	headers http.Header // of the latest call
	path    string
	source  map[string]any
	records []*logs.LogRecord
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := otlptest.Logs(t, r)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls++
		c.headers, c.path = r.Header, r.URL.Path
		if c.answer != nil && !c.answer(w, c.calls) {
			return
		}
		for _, of := range call.ResourceLogs {
			c.source = otlptest.Map(of.Resource.Attributes)
			for _, s := range of.ScopeLogs {
				c.records = append(c.records, s.LogRecords...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// output is the output of the log that sends there.
func (c *collector) output() string { return otlpPrefix + c.URL }

// find returns the record with a body.
func (c *collector) find(t *testing.T, body string) (*logs.LogRecord, map[string]any) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.records {
		if r.Body.GetStringValue() == body {
			return r, otlptest.Map(r.Attributes)
		}
	}
	t.Fatalf("no record says %q; there are %d", body, len(c.records))
	return nil, nil
}

func closed(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOTLP: requests and events arrive with the names of the semantic conventions.
func TestOTLP(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	l, err := Open(Options{
		Format: "auto", Output: c.output(), Sample: 1, Version: "1.2", OTLP: OTLP{Headers: map[string]string{"X-Key": "k"}, Gzip: true, Service: "gate", Instance: "one"},
		Fields: Fields{
			Add:    map[string]string{"user_agent": "{header:User-Agent}", "key": "{header:X-Api-Key}"},
			Remove: []string{"received"}, Rename: map[string]string{"pool": "backend"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.With("pool", "app").WithGroup("probe").Warn("probes fail", "error", errors.New("refused"), "took", time.Second, slog.Group("of", "n", 3))
	in := httptest.NewRequest("GET", "/a?token=s3cr3t", nil)
	in.Header.Set("User-Agent", "curl")
	in.Header.Set("X-Api-Key", "s3cr3t")
	l.Access(record(func(r *proxy.Record) {
		r.Request, r.Status, r.Reason, r.Pool, r.Upstream, r.Route, r.ID = message.FromHTTP(in), 502, reason.ConnectRefused, "app", "a:1", "all", "x1"
		r.Duration = 2500 * time.Microsecond
		r.Attempts = []proxy.Attempt{{Upstream: "a:1", Reason: reason.ConnectRefused, Err: errors.New("refused"), Acked: -1}, {Upstream: "b:1", Status: 502}}
	}))
	closed(t, l)
	if c.path != "/v1/logs" || c.headers.Get("X-Key") != "k" || c.headers.Get("Content-Encoding") != "gzip" || c.headers.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("got %s with %v", c.path, c.headers)
	}
	if c.source["service.name"] != "gate" || c.source["service.version"] != "1.2" || c.source["service.instance.id"] != "one" {
		t.Errorf("resource: got %v", c.source)
	}
	got, attrs := c.find(t, "probes fail")
	want := map[string]any{"goodgate.pool": "app", "goodgate.probe.error": "refused", "goodgate.probe.took": "1s", "goodgate.probe.of.n": int64(3)}
	if !reflect.DeepEqual(attrs, want) || got.SeverityNumber != logs.SeverityNumber_SEVERITY_NUMBER_WARN || got.SeverityText != "WARN" || got.TraceId != nil {
		t.Errorf("event: got %v", got)
	}
	got, attrs = c.find(t, "GET /a 502")
	if got.SeverityText != "WARN" || got.TimeUnixNano != uint64(time.Date(2026, 3, 4, 4, 6, 7, 2500000, time.UTC).UnixNano()) {
		t.Errorf("request: got %v", got)
	}
	for name, value := range map[string]any{
		"goodgate.request_id": "x1", "client.address": "192.0.2.1", "http.request.method": "GET", "url.path": "/a", "http.response.status_code": int64(502),
		"http.response.body.size": int64(12), "http.route": "all", "backend": "app", "goodgate.upstream": "a:1", "error.type": "connect_refused",
		"goodgate.ms": 2.5, "user_agent": "curl", "key": "[redacted]", "http.request.body.size": nil, "goodgate.pool": nil, "pool": nil,
	} {
		if !reflect.DeepEqual(attrs[name], value) {
			t.Errorf("%s: got %v, want %v", name, attrs[name], value)
		}
	}
	first := attrs["goodgate.attempts"].([]any)[0].(map[string]any)
	if first["upstream"] != "a:1" || first["reason"] != "connect_refused" || first["error"] != "refused" {
		t.Errorf("attempt: got %v", first)
	}
	if strings.Contains(got.String(), "s3cr3t") {
		t.Errorf("a secret is in %v", got)
	}
}

// spanned is a request's trace.
type spanned struct {
	id       string
	span     proxy.SpanID
	recorded bool
}

func (s spanned) Begin(*proxy.Request, bool) proxy.Trace { return s }
func (s spanned) ID() string                             { return s.id }
func (s spanned) Span() (proxy.SpanID, bool)             { return s.span, s.recorded }
func (s spanned) Attempt() (string, proxy.SpanID)        { return "", proxy.SpanID{} }
func (s spanned) End(*proxy.Record)                      {}

// TestOTLPTrace: a record names the request's span, or without tracing the one that its
// sender is in.
func TestOTLPTrace(t *testing.T) {
	t.Parallel()
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	own := spanned{id: "0af7651916cd43dd8448eb211c80319c", span: proxy.SpanID{1, 2}, recorded: true}
	for i, tc := range []struct {
		tracer      proxy.Tracer
		parent      string
		trace, span string
		flags       uint32
	}{
		{own, "", own.id, "0102000000000000", 1},
		{spanned{id: own.id, span: own.span}, "00-" + trace + "-" + span + "-01", own.id, "0102000000000000", 0},
		{nil, "00-" + trace + "-" + span + "-01", trace, span, 1},
		{nil, "00-" + trace + "-" + span + "-00", trace, span, 0},
		{nil, "", "", "", 0},
		{nil, "00-" + strings.Repeat("0", 32) + "-" + span + "-01", "", "", 0},
		{nil, "00-" + trace + "-" + strings.Repeat("0", 16) + "-01", trace, "", 1},
		{nil, "00-xyz-" + span + "-01", "", "", 0},
		{nil, "ff-" + trace + "-" + span + "-01", "", "", 0},
		{nil, "-", "", "", 0},
	} {
		c := newCollector(t)
		l, err := Open(Options{Format: "auto", Output: c.output(), Sample: 1})
		if err != nil {
			t.Fatal(err)
		}
		p, err := proxy.New(proxy.Options{Routes: []proxy.Route{{Respond: &proxy.Respond{Status: 200}}}, Trace: tc.tracer, Observe: []func(*proxy.Record){l.Access}})
		if err != nil {
			t.Fatal(err)
		}
		in := httptest.NewRequest("GET", "/a", nil)
		if tc.parent != "" {
			in.Header.Set("Traceparent", tc.parent)
		}
		p.ServeHTTP(httptest.NewRecorder(), in)
		closed(t, l)
		got, attrs := c.find(t, "GET /a 200")
		if hex.EncodeToString(got.TraceId) != tc.trace || hex.EncodeToString(got.SpanId) != tc.span || got.Flags != tc.flags {
			t.Errorf("%d: got trace %x, span %x, flags %d", i, got.TraceId, got.SpanId, got.Flags)
		}
		for name := range attrs {
			if strings.Contains(name, "trace") {
				t.Errorf("%d: the attribute %s repeats the trace", i, name)
			}
		}
	}
}

// TestOTLPHostile: what clients choose never makes a message that receivers cannot decode.
func TestOTLPHostile(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	l, err := Open(Options{Format: "auto", Output: c.output(), Sample: 1, Buffer: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/\xff\xfe", "/\x00\n", "/" + strings.Repeat("ü", 50000), "/" + strings.Repeat("\xc3", 50000)} {
		l.Access(record(func(r *proxy.Record) { r.Path, r.Host, r.Method = path, path, path }))
	}
	closed(t, l)
	if len(c.records) != 4 || l.Dropped() != 0 {
		t.Errorf("%d records arrived, %d were dropped", len(c.records), l.Dropped())
	}
	for _, r := range c.records {
		if size := proto.Size(r); size > 64<<10 {
			t.Errorf("a record takes %d bytes", size)
		}
	}
}

// TestOTLPBatches: many records come in few messages of bounded size, in order.
func TestOTLPBatches(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	l, err := Open(Options{Format: "auto", Output: c.output(), Sample: 1, Buffer: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	for i := range n {
		l.Access(record(func(r *proxy.Record) { r.Path = fmt.Sprint("/", i) }))
	}
	closed(t, l)
	if len(c.records) != n || c.calls < 2 || c.calls > 100 {
		t.Fatalf("got %d records in %d calls", len(c.records), c.calls)
	}
	for i, r := range c.records {
		if want := fmt.Sprintf("GET /%d 200", i); r.Body.GetStringValue() != want {
			t.Fatalf("record %d: got %s", i, r.Body.GetStringValue())
		}
	}
}

// TestOTLPRefused: records that the endpoint does not take are counted, and the log says
// so once.
func TestOTLPRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer  func(w http.ResponseWriter, call int) bool
		lost    int64
		trouble string // in the other output; empty = none
	}{
		"taken": {nil, 0, ""},
		"busy once": {func(w http.ResponseWriter, call int) bool {
			if call == 1 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(429)
			}
			return call > 1
		}, 0, "answered 429"},
		"malformed": {func(w http.ResponseWriter, call int) bool {
			w.WriteHeader(400)
			return false
		}, 3, "answered 400"},
		"in part": {func(w http.ResponseWriter, call int) bool {
			body, _ := proto.Marshal(&answers.ExportLogsServiceResponse{PartialSuccess: &answers.ExportLogsPartialSuccess{RejectedLogRecords: 2, ErrorMessage: "too old"}})
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.Write(body)
			return true
		}, 2, "rejected 2 items"},
		"more than came": {func(w http.ResponseWriter, call int) bool {
			body, _ := proto.Marshal(&answers.ExportLogsServiceResponse{PartialSuccess: &answers.ExportLogsPartialSuccess{RejectedLogRecords: 1 << 40}})
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.Write(body)
			return true
		}, 3, "rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCollector(t)
			c.answer = tc.answer
			other := filepath.Join(t.TempDir(), "events")
			l, err := Open(Options{Name: "main", Format: "json", Output: other, Records: Events, More: []Options{
				{Name: "otlp", Format: "auto", Output: c.output(), Sample: 1, Records: Requests},
			}})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				l.Access(record(nil))
			}
			if err := l.out.sinks[1].file.Close(); err != nil {
				t.Fatal(err)
			}
			if got := l.DroppedBy()["otlp"]; got != tc.lost {
				t.Errorf("%d records were lost, want %d", got, tc.lost)
			}
			closed(t, l)
			text := strings.Join(read(t, other), "\n")
			if n := strings.Count(text, "log output fails"); (n == 1) != (tc.trouble != "") || !strings.Contains(text, tc.trouble) {
				t.Errorf("the log says:\n%s", text)
			}
		})
	}
}

// TestOTLPAway: the end does not wait for an endpoint that is away longer than it may, and
// counts what is lost.
func TestOTLPAway(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	c.Close()
	l, err := Open(Options{Name: "main", Format: "auto", Output: c.output(), Sample: 1, Records: Requests})
	if err != nil {
		t.Fatal(err)
	}
	l.Access(record(nil))
	out := l.out.sinks[0].file
	out.opts.Out.(Interrupter).Interrupt()
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if got := l.Dropped(); got != 1 {
		t.Errorf("%d records were lost", got)
	}
}

func TestOTLPEndpoint(t *testing.T) {
	for output, want := range map[string]string{
		"otlp+http://collector":               "http://collector:4318/v1/logs",
		"otlp+http://[::1]":                   "http://[::1]:4318/v1/logs",
		"otlp+http://collector:80/":           "http://collector:80/v1/logs",
		"otlp+https://logs.example.com":       "https://logs.example.com/v1/logs",
		"otlp+https://logs.example.com/a/b%2": "otlp+https://logs.example.com/a/b%2",
		"otlp+https://h:1/otlp/v1/logs":       "https://h:1/otlp/v1/logs",
	} {
		if got := otlpEndpoint(output); got != want {
			t.Errorf("%s: got %s", output, got)
		}
	}
}

// BenchmarkOTLP is the cost of one request's record.
func BenchmarkOTLP(b *testing.B) {
	for _, format := range []string{"otlp", "json"} {
		b.Run(format, func(b *testing.B) {
			o := Options{Format: "json", Output: "stderr", Sample: 1}
			if format == "otlp" {
				o = Options{Format: "auto", Output: "otlp+http://127.0.0.1:1", Sample: 1}
			}
			f, err := o.form()
			if err != nil {
				b.Fatal(err)
			}
			size := 0
			_, log := f(counting{&size})
			r := record(func(r *proxy.Record) {
				r.Host, r.ID, r.Route, r.Pool, r.Upstream = "example.com", "861c19cff73d1ef2", "default", "app", "127.0.0.1:3002"
			})
			b.ReportAllocs()
			for b.Loop() {
				log(r)
			}
			b.ReportMetric(float64(size)/float64(b.N), "B/record")
		})
	}
}

// counting counts bytes.
type counting struct{ n *int }

func (c counting) Write(p []byte) (int, error) {
	*c.n += len(p)
	return len(p), nil
}

// While an endpoint refuses records, the number of lost ones is not reported: the report
// is a record, which the endpoint refuses as well.
func TestOTLPRefusalIsReportedAtItsEnd(t *testing.T) {
	t.Parallel()
	var refuses atomic.Bool
	refuses.Store(true)
	taken := make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if refuses.Load() {
			w.WriteHeader(http.StatusBadRequest)
		}
		taken <- true
	}))
	t.Cleanup(server.Close)
	var edges, reports, lost atomic.Int64
	w := openOTLP(Options{Output: "otlp+" + server.URL}, teller{dropped: func(n int64) { reports.Add(1); lost.Add(n) }, trouble: func(error) { edges.Add(1) }})
	for i := range 4 {
		refuses.Store(i < 3)
		w.Write(appendLogRecord(nil, entry{}))
		w.wake()
		<-taken
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if reports.Load() != 1 || lost.Load() != 3 || edges.Load() != 2 {
		t.Errorf("got %d reports of %d records, %d edges; want 1 of 3, 2", reports.Load(), lost.Load(), edges.Load())
	}
}
