package health

import (
	"context"
	"crypto/tls"

	"github.com/goodgate/goodgate/balancer"
)

// TCP probes by connecting, and by a TLS handshake if the upstream is reached by
// TLS. Without TLS it finds out that something listens, not that it answers:
// the kernel accepts connections for a program that hangs. [NewAlive] finds out
// whether it answers.
//
// The connection is ended the ordinary way and not by a reset, which servers
// that speak first (mail, databases) log or count as an attack.
type TCP struct {
	TLS     *tls.Config // how upstreams reached by TLS are trusted; nil = the zero value, an empty ServerName = the upstream's
	Preface []byte      // sent first on each connection, before TLS; nil = nothing
}

// Probe implements [Prober].
func (p TCP) Probe(ctx context.Context, u *balancer.Upstream) error {
	conn, err := newDialer(p.TLS, p.Preface).dial(ctx, u)
	if err != nil {
		return err
	}
	if w, ok := conn.(interface{ CloseWrite() error }); ok {
		w.CloseWrite()
	}
	linger(ctx, conn, conn)
	return nil
}
