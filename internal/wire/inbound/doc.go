// Package inbound is the clients' side of HTTP/1.1: it reads, serves and answers
// the requests of a connection on one goroutine.
//
// A [Server] accepts connections, speaks TLS on them if configured, and passes those
// that speak HTTP/2 to an http.Server. It serves a [message.Request], whose head keeps
// the bytes of the client, or calls an ordinary handler of net/http. It differs from
// net/http's server in five ways:
//
//   - A request without a body makes one allocation, the string of its head.
//   - An idle connection holds no buffer, and after a while only a small stack.
//   - The server watches for the client's departure only once somebody asks for the
//     end of the request's context.
//   - A handler may always read the request's body while it writes the response. A
//     hijack never loses bytes that the client has sent early.
//   - It refuses requests that can be read in two ways: folded lines, Content-Length
//     beside Transfer-Encoding, a transfer coding in HTTP/1.0. It passes them to
//     [Options.Refuse], which answers and accounts for them like for any other.
//
// The files, in the order of a connection's life:
//
//	server.go, handoff.go            accept it; pass HTTP/2 on
//	conn.go, tls.go                  its life; its handshake
//	wait.go, ready.go                wait for a request, and for the rest of one
//	head.go, target.go, framing.go   parse its head
//	serve.go, room.go, body.go       serve it; its memory; its body
//	response.go, render.go, date.go  the response
//	write.go                         buffers and sends it
//	watch.go, context.go             notice that the client has left
//	socket.go                        waits on the socket without a buffer
//
// Package deadline keeps all time limits.
//
// The meaning of a request follows RFC 9112. A fuzz test compares it with that of
// http.ReadRequest.
package inbound
