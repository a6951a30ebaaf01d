// Package inbound is the clients' side of HTTP/1.1: it reads, serves and answers
// the requests of a connection on one goroutine.
//
// A [Server] takes connections, speaks TLS on them if it is to, and hands those
// that speak HTTP/2 to an http.Server. It serves a [message.Request] with its head
// as it came, or an ordinary handler of net/http. Against the server there it
// differs in this:
//
//   - A request without a body makes one allocation, the string of its head.
//   - A connection without a request holds no buffer, and after a while only a
//     small stack.
//   - Whether the client is still there is watched only once somebody asks for
//     the end of the request's context.
//   - The body of the request may be read while the response is written, for all
//     requests. What the client sends early is never lost by a hijack.
//   - It takes no request that could be read in two ways: no folded lines, no
//     Content-Length beside Transfer-Encoding, no transfer coding in HTTP/1.0.
//     What it refuses is told to [Server.Refuse], for it to be answered and
//     accounted like any other.
//
// A connection's way, a file each: server.go and handoff.go take it, conn.go has
// its life, tls.go, wait.go for a request, ready.go for the rest of one, head.go,
// target.go and framing.go what it means, serve.go, room.go, body.go, response.go,
// render.go and date.go its answer, write.go; watch.go and context.go are about its
// client's end. Package deadline keeps all bounds on time, socket.go asks the socket
// itself.
//
// What a request means follows RFC 9112, and is what http.ReadRequest says it
// means; a fuzz test holds that.
package inbound
