//go:build !minimal

package otlp

import (
	"log/slog"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
)

// scopeName is the instrumentation scope of everything that goodgate sends.
const scopeName = "github.com/goodgate/goodgate"

// Source describes the sending program.
type Source struct {
	Service  string // service.name
	Version  string // service.version; empty = omitted
	Instance string // service.instance.id; empty = that of OTEL_RESOURCE_ATTRIBUTES, else the host's name
}

// instanceID is the name of the attribute that tells instances of one service apart.
const instanceID = attribute.Key("service.instance.id")

// Attributes returns the source as attributes of a resource.
func (s Source) Attributes() []attribute.KeyValue {
	list := []attribute.KeyValue{attribute.String("service.name", s.Service)}
	if s.Version != "" {
		list = append(list, attribute.String("service.version", s.Version))
	}
	instance := s.Instance
	if _, given := resource.Environment().Set().Value(instanceID); instance == "" && !given {
		instance, _ = os.Hostname()
	}
	if instance != "" {
		list = append(list, instanceID.String(instance))
	}
	return list
}

// Envelope is the part of a message around a batch of items of one source: the messages
// ResourceLogs and ScopeLogs, or those of metrics, which have the same fields.
type Envelope struct {
	resource []byte // the field resource
	scope    []byte // the field scope
}

// NewEnvelope returns the envelope of a source. The attributes in
// OTEL_RESOURCE_ATTRIBUTES are added to the source's own.
func NewEnvelope(s Source) Envelope {
	all, err := resource.Merge(resource.Environment(), resource.NewSchemaless(s.Attributes()...))
	if err != nil {
		all = resource.NewSchemaless(s.Attributes()...)
	}
	var e Envelope
	var start int
	e.resource, start = Open(nil, 1)
	for _, a := range all.Attributes() {
		e.resource = AppendAttr(e.resource, 1, string(a.Key), slog.StringValue(a.Value.String()))
	}
	e.resource = Close(e.resource, start)
	e.scope, start = Open(nil, 1)
	e.scope = AppendString(e.scope, 1, scopeName)
	if s.Version != "" {
		e.scope = AppendString(e.scope, 2, s.Version)
	}
	e.scope = Close(e.scope, start)
	return e
}

// Wrap returns an ExportLogsServiceRequest with LogRecords, or an
// ExportMetricsServiceRequest with Metrics. items has them as repeated fields 2, which
// they are in ScopeLogs and ScopeMetrics.
func (e Envelope) Wrap(items []byte) []byte {
	b := make([]byte, 0, len(e.resource)+len(e.scope)+len(items)+32)
	b, whole := Open(b, 1)
	b = append(b, e.resource...)
	b, scope := Open(b, 2)
	b = append(append(b, e.scope...), items...)
	return Close(Close(b, scope), whole)
}
