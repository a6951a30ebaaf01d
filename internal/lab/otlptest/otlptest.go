// Package otlptest decodes goodgate's OTLP exports, for tests.
package otlptest

import (
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// Read returns the spans in a request of OTLP over HTTP. Invalid OTLP fails the test.
func Read(t testing.TB, r *http.Request) *traces.ExportTraceServiceRequest {
	t.Helper()
	call := &traces.ExportTraceServiceRequest{}
	decode(t, r, call)
	return call
}

// Logs returns the log records of such a request.
func Logs(t testing.TB, r *http.Request) *logs.ExportLogsServiceRequest {
	t.Helper()
	call := &logs.ExportLogsServiceRequest{}
	decode(t, r, call)
	return call
}

// Metrics returns the metrics of such a request.
func Metrics(t testing.TB, r *http.Request) *metrics.ExportMetricsServiceRequest {
	t.Helper()
	call := &metrics.ExportMetricsServiceRequest{}
	decode(t, r, call)
	return call
}

func decode(t testing.TB, r *http.Request, call proto.Message) {
	t.Helper()
	from, err := io.Reader(r.Body), error(nil)
	if r.Header.Get("Content-Encoding") == "gzip" {
		from, err = gzip.NewReader(r.Body)
	}
	var body []byte
	if err == nil {
		body, err = io.ReadAll(from)
	}
	if err == nil {
		err = proto.Unmarshal(body, call)
	}
	if unknown := call.ProtoReflect().GetUnknown(); err != nil || len(unknown) > 0 {
		t.Errorf("not OTLP: %v, unknown fields: %x", err, unknown)
	}
}

// Plain returns a value as Go's: a text, a number, a truth value, a list or a map.
func Plain(v *common.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_BoolValue:
		return v.BoolValue
	case *common.AnyValue_IntValue:
		return v.IntValue
	case *common.AnyValue_DoubleValue:
		return v.DoubleValue
	case *common.AnyValue_ArrayValue:
		list := []any{}
		for _, e := range v.ArrayValue.Values {
			list = append(list, Plain(e))
		}
		return list
	case *common.AnyValue_KvlistValue:
		return Map(v.KvlistValue.Values)
	}
	return nil
}

// Map returns attributes by their names.
func Map(list []*common.KeyValue) map[string]any {
	all := map[string]any{}
	for _, a := range list {
		all[a.Key] = Plain(a.Value)
	}
	return all
}
