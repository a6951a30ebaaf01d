// Package http2 sends HTTP/2 requests to one upstream, over TLS or in the
// clear with prior knowledge (RFC 9113 section 3.3).
//
// A [Transport] owns its connections. It opens another when all that are open
// have as many streams as the upstream allows, and uses none on which a request
// has waited long without a byte coming back. The protocol itself is
// [net/http]'s: each connection is an [http.ClientConn], which neither dials nor
// repeats a request on its own.
//
// What net/http keeps to itself is read off the wire (see wire): which streams
// the upstream says it has not processed, and how a connection ended. So a
// request that was refused (RFC 9113 section 8.7) is known as such and may be
// sent again whatever its method. What is learned goes into an
// [http1.Call], a failure is an [http1.Error], and a body is an
// [http1.Body]: the same as of the HTTP/1.1 transport.
package http2
