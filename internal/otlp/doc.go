// Package otlp sends telemetry by OTLP over HTTP: the client that traces, logs and
// metrics share, and an encoder for messages without Go types of their own. The
// minimal edition has neither.
//
// Source: OpenTelemetry Protocol Specification 1.9, OTLP/HTTP, and its .proto files.
package otlp
