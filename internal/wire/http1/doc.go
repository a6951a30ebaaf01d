// Package http1 sends HTTP/1.1 requests to one upstream, on the goroutine of the caller.
//
// A [Transport] keeps a stack of idle connections. Send takes one that still works, or
// dials. It writes the request, reads the response's header, and returns a body that
// reads from the connection itself. RoundTrip is Send for requests and responses of
// net/http. If a request body streams, or does not fit the sockets' buffers, another
// goroutine writes it, so that the caller sees an early response.
//
// Before Send writes to an idle connection, it checks that the connection is open and has
// no bytes to read: bytes after an answer must not pass for the next one. For a small
// request the check costs nothing. It is a read before the write, and it replaces the
// first read after the write, which would find nothing; see (*probe).writeAndWait.
//
// Package deadline keeps the time limits. waker.go adds the stages of an answer, and
// calls of [Slow] during the wait for a header.
//
// A [Call] reports facts that http.Transport keeps to itself: whether the connection was
// reused and how long it was idle, the bytes sent and received, how the connection ended,
// and whether the upstream provably never got the request. A failure is an [*Error] with
// a phase and a kind.
//
// A response header means the same as to http.ReadResponse, except that http1 refuses
// headers which RFC 9112 forbids. The framing follows RFC 9112. After any irregularity
// the connection is not used again.
//
// The files:
//
//	transport.go, call.go, error.go  the API: options, facts about a call, failures
//	request.go, outgoing.go          a request, and how it is written
//	roundtrip.go                     the course of a call
//	conn.go, waker.go                a connection; its time limits
//	pool.go, keepalive.go            idle connections; how long the upstream keeps them
//	ask.go, socket.go                check an idle connection; look at its socket
//	head.go, body.go                 the response's header and body
//	upload.go                        a request body that streams
//	slow.go                          responses that take long
//	turn.go                          several calls for one request, only one of which sends
//	tunnel.go                        an upgraded connection
package http1
