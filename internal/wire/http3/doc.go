// Package http3 speaks HTTP/3 (RFC 9114) with clients, by quic-go.
//
// A [Socket] is one UDP socket. It outlives the [Server] on it, so that a server
// can be replaced by another without a client being refused: the one that leaves
// tells its clients so (GOAWAY) and ends what is under way on the same socket,
// while the next takes the new connections.
//
// quic-go's server bounds the header, the requests at once and the silence on a
// connection. What it leaves open is bounded here: how many connections there
// are, how long a connection may have no request, and how long a client may not
// take what is written apart from the body. There is no 0-RTT, since it can be
// replayed.
//
// The handler gets requests as net/http's server would make them: without a body
// when the client has sent none.
package http3
