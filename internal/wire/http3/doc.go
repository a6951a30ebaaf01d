// Package http3 serves HTTP/3 (RFC 9114) to clients, with quic-go.
//
// A [Socket] is one UDP socket. It outlives the [Server] on it, so that another server
// can take over without refusing a client: the leaving server sends GOAWAY and finishes
// its requests on the same socket, while the next one accepts new connections.
//
// quic-go's server limits the header, the concurrent requests and the silence on a
// connection. This package limits the rest: the number of connections, the time without a
// request, and the time for a client to accept writes other than the body. There is no
// 0-RTT, because it can be replayed.
//
// The handler gets requests in the form of net/http's server: without a body if the
// client has sent none. It runs in the request's goroutine of quic-go. Server and Socket
// are safe for concurrent use.
package http3
