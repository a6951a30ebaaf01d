package http3

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/internal/limit"
)

// Options configure a [Server].
type Options struct {
	Handler http.Handler
	TLS     *tls.Config     // TLS settings; always version 1.3
	Base    context.Context // context of all requests: its end ends them, with its cause

	Connections limit.Connections // limits; a connection beyond them is refused and never waits
	Short       func() error      // returns an error while memory is too short for another connection; may be nil
	MaxHeader   int               // bytes
	MaxStreams  int               // concurrent requests on a connection
	Header      time.Duration     // from a new connection to its first request
	Keepalive   time.Duration     // between two requests on a connection
	Idle        time.Duration     // silence until the client counts as gone; at half of it a packet asks for an answer
	WriteIdle   time.Duration     // for the client to accept a header; 0 = no limit

	// A connection takes no more requests once it has this age, less a random part of up to
	// a tenth, or this number of requests; 0 = no limit. The client gets GOAWAY, and the
	// connection ends with its last request.
	Age      time.Duration
	Requests int

	// Begun is called for each connection before its first request. Calling end closes
	// the connection at once. Begun returns the parent of its requests' contexts. nil =
	// no call.
	Begun func(ctx context.Context, end func()) context.Context

	// Counted is called when a connection opens (true) and closes (false), concurrently
	// for several; nil = no call.
	Counted func(open bool)
}

func (o *Options) note(open bool) {
	if o.Counted != nil {
		o.Counted(open)
	}
}
