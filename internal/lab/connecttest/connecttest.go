// Package connecttest is a client for WebSockets over HTTP/2, for tests.
package connecttest

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"testing"

	"golang.org/x/net/http2"
)

//lint:file-ignore SA1019 the client of net/http refuses the field :protocol

// HTTP2 returns a client of HTTP/2 that sends extended CONNECTs (RFC 8441): requests with
// the method CONNECT and the field ":protocol". A nil trust means no TLS; else dial is not
// used.
func HTTP2(t testing.TB, trust *tls.Config, dial func(ctx context.Context, network, addr string) (net.Conn, error)) http.RoundTripper {
	tr := &http2.Transport{AllowHTTP: true, TLSClientConfig: trust}
	if trust == nil {
		tr.DialTLSContext = func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
			return dial(ctx, network, addr)
		}
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}
