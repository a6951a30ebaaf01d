// Package inbound is the server side of HTTP/1.1: it reads, serves and answers the
// requests of a connection on one goroutine.
//
// A [Server] accepts connections, finishes the TLS handshake if configured, and passes
// HTTP/2 connections to an http.Server. It gives each HTTP/1.1 request to a function, as
// a [message.Request] whose head keeps the client's bytes, or to an ordinary handler of
// net/http. It differs from net/http's server in five ways:
//
//   - A request without a body costs one allocation: the string of its head.
//   - An idle connection holds no buffer. After a while its goroutine has only a small
//     stack.
//   - The server starts to watch for a disconnect of the client when the handler calls
//     Done on the request's context.
//   - A handler may always read the request's body while it writes the response. A
//     hijack never loses bytes that the client has sent early.
//   - It refuses requests that two programs could read differently: folded lines,
//     Content-Length beside Transfer-Encoding, a transfer coding in HTTP/1.0. It passes
//     them to [Options.Refuse], which can answer and log them like any other request.
//
// The files, in the order of a connection's life:
//
//	server.go, handoff.go            accept it; pass HTTP/2 on
//	conn.go, tls.go                  serve the connection; TLS handshake
//	wait.go, ready.go                wait for a request, and for the rest of one
//	head.go, target.go, framing.go   parse its head
//	serve.go, room.go, body.go       serve it; its memory; its body
//	response.go, render.go, date.go  the response
//	write.go                         buffers and sends it
//	watch.go, context.go             notice that the client has left
//	socket.go                        waits on the socket without a buffer
//
// Package deadline enforces all time limits.
//
// The meaning of a request follows RFC 9112. A fuzz test compares it with that of
// http.ReadRequest.
package inbound
