package tracing

import (
	"crypto/tls"
	"log/slog"
)

// Options configure the destination and the content of traces.
type Options struct {
	Endpoint string            // URL that accepts OTLP over HTTP
	Headers  map[string]string // additional headers, such as a key
	TLS      *tls.Config       // nil = Go's defaults
	Sample   float64           // share of recorded requests, unless a trusted proxy has decided
	Service  string            // service.name of the spans
	Version  string            // service.version; empty = none
	Logger   *slog.Logger      // reports when sending fails, and when it works again
}
