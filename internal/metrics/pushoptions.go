package metrics

import (
	"crypto/tls"
	"log/slog"
	"time"
)

// PushOptions say where metrics are sent by OTLP over HTTP.
type PushOptions struct {
	Endpoint string            // URL
	Interval time.Duration     // between two messages; positive
	Headers  map[string]string // for the endpoint, such as a key
	TLS      *tls.Config       // nil = Go's defaults
	Gzip     bool              // compress what is sent
	Service  string            // service.name
	Version  string            // service.version; empty = omitted
	Instance string            // service.instance.id; empty = the host's name
	Logger   *slog.Logger      // gets a record when sending fails, and when it works again
}
