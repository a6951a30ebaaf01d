package health

import (
	"context"
	"crypto/tls"

	"github.com/goodgate/goodgate/balancer"
)

// TCP probes by connecting, and by a TLS handshake if TLS is set. Without TLS
// it finds out that something listens, not that it answers: the kernel accepts
// connections for a program that hangs.
//
// The connection is ended the ordinary way and not by a reset, which servers
// that speak first (mail, databases) log or count as an attack.
type TCP struct {
	TLS *tls.Config // nil = plain; an empty ServerName is the address's host
}

// Probe implements [Prober].
func (p TCP) Probe(ctx context.Context, u *balancer.Upstream) error {
	var protos []string
	if p.TLS != nil {
		protos = p.TLS.NextProtos
	}
	conn, err := newDialer(p.TLS, "", protos...).dial(ctx, u.Addr())
	if err != nil {
		return err
	}
	if w, ok := conn.(interface{ CloseWrite() error }); ok {
		w.CloseWrite()
	}
	linger(ctx, conn, conn)
	return nil
}
