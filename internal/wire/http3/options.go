package http3

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"github.com/goodgate/goodgate/internal/limit"
)

// Options are how a [Server] serves.
type Options struct {
	Handler http.Handler
	TLS     *tls.Config     // how clients are spoken to; 1.3 whatever it says
	Base    context.Context // of all requests: its end ends them, with its cause

	Connections limit.Connections // more are refused; none waits
	Short       func() error      // why there is no memory for another, nil while there is; may itself be nil
	MaxHeader   int               // bytes
	MaxStreams  int               // requests at once on a connection
	Header      time.Duration     // from a new connection to its first request
	Keepalive   time.Duration     // between two requests on a connection
	Idle        time.Duration     // without a packet until the client is gone; at half of it it is asked for one
	WriteIdle   time.Duration     // for the client to take a header; 0 = no bound

	// Begun is told of each connection before its first request, with what ends it at
	// once. It returns what its requests' contexts come from. nil = nobody is told.
	Begun func(ctx context.Context, end func()) context.Context

	// Counted is told of each connection that opens (true) and closes. It may be
	// called at the same time for several; nil = nobody is.
	Counted func(open bool)
}

func (o *Options) note(open bool) {
	if o.Counted != nil {
		o.Counted(open)
	}
}
