//go:build !minimal

package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"

	"github.com/quic-go/quic-go"
)

// maxUnverified bounds the handshakes in progress with clients whose address is not
// verified. Beyond it clients must verify theirs with a Retry packet, which costs a round
// trip (RFC 9000, section 8.1.2).
const maxUnverified = 128

var (
	errNobody    = errors.New("nobody takes new connections here")
	errTooMany   = errors.New("too many connections")
	errSucceeded = errors.New("another server has this socket now")
)

// Socket is a UDP socket that accepts QUIC connections for the present server. It is safe
// for concurrent use.
type Socket struct {
	udp        *net.UDPConn
	transport  quic.Transport
	listener   *quic.Listener
	present    atomic.Pointer[Server] // nil = refuse connections
	unverified atomic.Int64           // handshakes in progress
}

// Open opens a UDP socket at host:port. [Socket.Close] closes it.
func Open(address string) (*Socket, error) {
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	udp, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, err
	}
	k := &Socket{udp: udp}
	k.transport = quic.Transport{Conn: udp, ConnContext: k.welcome, VerifySourceAddress: k.doubts}
	k.listener, err = k.transport.Listen(
		&tls.Config{GetConfigForClient: k.tls},
		&quic.Config{GetConfigForClient: k.config})
	if err != nil {
		udp.Close()
		return nil, err
	}
	return k, nil
}

// Addr returns the address of the socket.
func (k *Socket) Addr() net.Addr { return k.udp.LocalAddr() }

// Buffer returns the size of the kernel's receive buffer of the socket, in bytes; 0 if
// unknown.
func (k *Socket) Buffer() int { return receiveBuffer(k.udp) }

// Close ends all connections of the socket.
func (k *Socket) Close() error {
	k.listener.Close()
	return errors.Join(k.transport.Close(), k.udp.Close())
}

// doubts reports whether a client must verify its address.
func (k *Socket) doubts(net.Addr) bool {
	s := k.present.Load()
	return s != nil && (s.opts.Connections.PerClient > 0 || k.unverified.Load() >= maxUnverified)
}

// welcome decides whether to accept a connection, and for which server.
func (k *Socket) welcome(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	s := k.present.Load()
	if s == nil {
		return nil, errNobody
	}
	if s.opts.Short != nil {
		if err := s.opts.Short(); err != nil {
			return nil, err
		}
	}
	leave, ok := s.count.Enter(info.RemoteAddr)
	if !ok {
		return nil, errTooMany
	}
	c := newClient(s)
	if !info.AddrVerified {
		k.unverified.Add(1)
		c.verified = func() { k.unverified.Add(-1) }
	}
	s.opts.note(true)
	context.AfterFunc(ctx, func() {
		c.end()
		leave()
		s.opts.note(false)
	})
	return context.WithValue(ctx, clientKey{}, c), nil
}

func (k *Socket) config(*quic.ClientInfo) (*quic.Config, error) {
	if s := k.present.Load(); s != nil {
		return s.quic, nil
	}
	return nil, errNobody
}

// tls returns the TLS settings of the server that accepted the connection.
func (k *Socket) tls(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if c := clientOf(hello.Context()); c != nil {
		t := c.server.tls
		if t.GetConfigForClient != nil { // crypto/tls calls only the socket's own
			if own, err := t.GetConfigForClient(hello); own != nil || err != nil {
				return own, err
			}
		}
		return t, nil
	}
	return nil, errNobody
}

// accept returns the next connection of a server.
func (k *Socket) accept(s *Server) (*client, *quic.Conn, error) {
	for {
		conn, err := k.listener.Accept(s.taking)
		if err != nil {
			return nil, nil, err
		}
		if c := clientOf(conn.Context()); c != nil && c.server == s {
			return c, conn, nil
		}
		conn.CloseWithError(noError, errSucceeded.Error()) // its handshake used another server's settings
	}
}
