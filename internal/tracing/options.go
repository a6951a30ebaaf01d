package tracing

import (
	"crypto/tls"
	"log/slog"
)

// Options say where traces go.
type Options struct {
	Endpoint string            // URL that takes OTLP over HTTP
	Headers  map[string]string // sent along, such as a key
	TLS      *tls.Config       // nil = Go's defaults
	Gzip     bool              // compress what is sent
	Sample   float64           // share of the requests that are recorded, unless a trusted proxy has decided
	Service  string            // service.name of the spans
	Version  string            // service.version; empty = not told
	Instance string            // service.instance.id; empty = the host's name
	Logger   *slog.Logger      // told when sending fails, and when it works again
}
