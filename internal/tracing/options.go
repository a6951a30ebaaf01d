package tracing

import "log/slog"

// Options say where traces go.
type Options struct {
	Endpoint string            // URL that takes OTLP over HTTP
	Headers  map[string]string // sent along, such as a key
	Sample   float64           // share of the requests that are recorded, unless a trusted proxy has decided
	Service  string            // service.name of the spans
	Version  string            // service.version; empty = not told
	Logger   *slog.Logger      // told when sending fails, and when it works again
}
