// Package http2 sends HTTP/2 requests to one upstream, over TLS or in cleartext with
// prior knowledge (RFC 9113 section 3.3).
//
// A [Transport] owns its connections. It opens another one when all open ones have as
// many streams as the upstream allows. It avoids a connection on which a request has
// waited long without receiving a byte. It uses [net/http]'s implementation of the
// protocol: each connection is an [http.ClientConn], which neither dials nor repeats a
// request on its own.
//
// The transport observes the frames on the wire (see wire) for facts that net/http does
// not report: which streams the upstream has not processed according to its own
// statement, and how a connection ended. So it recognises a refused request (RFC 9113
// section 8.7), which may be retried whatever its method. The results have the types of
// the HTTP/1.1 transport: facts go into an [http1.Call], a failure is an [http1.Error],
// and a body is an [http1.Body].
//
// The files, in the order of a request:
//
//	transport.go, request.go          the API; checks of a request
//	pool.go, conn.go                  waiting for a stream; the life of a connection
//	wire.go, framesize.go             observing and adjusting the frames
//	stream.go, watch.go               one call; its limits on silence
//	response.go, body.go, error.go    the response; its body; failures
//
// A Transport is safe for concurrent use. The mutex of its pool protects the connections.
package http2
