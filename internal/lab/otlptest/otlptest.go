// Package otlptest reads what tracing sends, for tests.
package otlptest

import (
	"io"
	"net/http"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Read returns the spans of a request by OTLP over HTTP. What is not OTLP fails the test.
func Read(t testing.TB, r *http.Request) *collector.ExportTraceServiceRequest {
	t.Helper()
	call := &collector.ExportTraceServiceRequest{}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = proto.Unmarshal(body, call)
	}
	if err != nil {
		t.Errorf("not OTLP: %v", err)
	}
	return call
}
