// Package http1 sends HTTP/1.1 requests to one upstream, on the goroutine of
// the caller.
//
// A [Transport] keeps a stack of idle connections. RoundTrip takes one that is
// still good or dials, writes the request, reads the response's header, and
// returns a body that reads from the connection itself. Only a request body
// that streams, or is too large to fit the sockets' buffers, is written by a
// goroutine of its own, so that an early response is not missed.
//
// What http.Transport keeps to itself is told in an [Exchange]: whether the
// connection was reused and how long it had been idle, how many bytes went each
// way, how it ended, and whether the upstream provably never got the request.
// Failures are an [*Error] with a phase and a kind, decided where the bytes
// are.
//
// A plain response header is read by package header, any other by
// http.ReadResponse, which mean the same by it; its framing follows RFC 9112.
// A connection on which anything odd was seen is not used again.
package http1
