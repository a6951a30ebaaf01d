// Package http1 sends HTTP/1.1 requests to one upstream, on the goroutine of
// the caller.
//
// A [Transport] keeps a stack of idle connections. Send takes one that is still
// good or dials, writes the request, reads the response's header, and returns a
// body that reads from the connection itself. Only a request body that streams,
// or is too large to fit the sockets' buffers, is written by a goroutine of its
// own, so that an early response is not missed. RoundTrip is Send for requests
// and responses of net/http.
//
// An idle connection is looked at before anything is written to it, whatever the
// request: bytes that came behind an answer are not the next one. For a small
// request the look is a read that takes the place of the one which would come
// first after the write, and would find nothing; see (*probe).writeAndWait.
//
// Package deadline keeps the bounds on time; waker.go adds the stages of an answer, and
// when a caller is to be asked in between.
//
// What http.Transport keeps to itself is told in a [Call]: whether the
// connection was reused and how long it had been idle, how many bytes went each
// way, how it ended, and whether the upstream provably never got the request.
// Failures are an [*Error] with a phase and a kind, decided where the bytes
// are.
//
// A response header means what it does to http.ReadResponse, but for what that
// lets pass and RFC 9112 does not; its framing follows RFC 9112. A connection on
// which anything odd was seen is not used again.
package http1
