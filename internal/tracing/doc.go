// Package tracing sends OpenTelemetry traces: a span for each request and one
// for each of its attempts.
//
// While a request runs it only gets IDs, which go upstream in its traceparent
// header (W3C Trace Context). When it has ended its record is made into spans, if
// it was chosen to be recorded. Spans are sent by OTLP over HTTP in the
// background; what cannot be sent is dropped, within bounds of time and number.
package tracing
