// Package tracing sends OpenTelemetry traces: a span for each request and one for each
// of its attempts.
//
// While a request runs it only has IDs, which go upstream in its traceparent header
// (W3C Trace Context). After its end, the record of a sampled request becomes spans.
// They are sent by OTLP over HTTP in the background. Spans that cannot be sent are
// dropped, within limits of time and number.
package tracing
