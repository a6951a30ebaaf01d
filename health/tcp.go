package health

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"

	"github.com/goodgate/goodgate/balancer"
)

// TCP is a [Prober] that connects, and makes a TLS handshake if the upstream uses TLS.
// Without TLS it finds out that something listens, not that it answers: the kernel
// accepts connections for a hanging program. [NewAlive] finds out whether the process
// answers.
//
// It closes the connection without a reset: servers that speak first (mail, databases) log
// a reset, or count it as an attack.
type TCP struct {
	TLS     *tls.Config // settings for upstreams with TLS; nil = the zero value; an empty ServerName = the upstream's
	Preface []byte      // bytes to send first on each connection, before TLS; nil = none
	Target  Target      // destination of the probe; another port gets no Preface
	Steps   []Step      // conversation after the connection, in order; nil = none
	MaxData int64       // largest number of bytes that the upstream may send; 0 = 64 KiB
}

// Step is a part of a conversation over TCP: goodgate sends, and then waits for the
// expected bytes. All conditions apply to the bytes that the upstream has sent since
// goodgate last sent something.
type Step struct {
	Send   []byte         // nil = nothing
	Expect []byte         // the bytes must contain it; nil = no condition
	Regexp *regexp.Regexp // must match the bytes; nil = no condition
}

// Probe implements [Prober].
func (p TCP) Probe(ctx context.Context, u *balancer.Upstream) error {
	if !p.Target.apart() {
		return p.probe(ctx, u)
	}
	there, own := p, TCP{TLS: p.TLS, Preface: p.Preface}
	there.Preface = nil
	return (&apart{elsewhereTCP(there), own}).Probe(ctx, u)
}

// Talks reports whether the probe expects bytes from the upstream.
func (p TCP) Talks() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Expect != nil || s.Regexp != nil })
}

func (p TCP) probe(ctx context.Context, u *balancer.Upstream) error {
	conn, err := newDialer(p.Target, p.TLS, p.Preface).dial(ctx, u)
	if err != nil {
		return err
	}
	if err := p.talk(ctx, conn, u); err != nil {
		conn.Close()
		return err
	}
	if w, ok := conn.(interface{ CloseWrite() error }); ok {
		w.CloseWrite()
	}
	linger(ctx, conn, conn)
	return nil
}

// talk makes the conversation.
func (p TCP) talk(ctx context.Context, conn net.Conn, u *balancer.Upstream) error {
	heard, left := []byte(nil), cmp.Or(p.MaxData, defaultMaxBody)
	for i, s := range p.Steps {
		if len(s.Send) > 0 {
			heard = heard[:0]
			if _, err := conn.Write(s.Send); err != nil {
				return exchangeError(ctx, fmt.Sprintf("sending step %d", i+1), err)
			}
		}
		for !s.met(heard) {
			if left == 0 {
				return wrong("step %d: the upstream has sent %d bytes (max_body) without what is expected", i+1, cmp.Or(p.MaxData, defaultMaxBody))
			}
			var room [4 << 10]byte
			n, err := conn.Read(room[:min(left, int64(len(room)))])
			heard, left = append(heard, room[:n]...), left-int64(n)
			if n > 0 {
				p.Target.answered(u)
			} else if err == io.EOF && len(heard) > 0 {
				return wrong("step %d: the upstream ended the connection after %d bytes without what is expected", i+1, len(heard))
			} else if err != nil {
				return exchangeError(ctx, fmt.Sprintf("waiting for the answer to step %d", i+1), err)
			}
		}
	}
	return nil
}

// met reports whether the bytes meet the step's conditions.
func (s *Step) met(heard []byte) bool {
	return bytes.Contains(heard, s.Expect) && (s.Regexp == nil || s.Regexp.Match(heard))
}

// elsewhereTCP is [TCP] without a probe of the traffic's port.
type elsewhereTCP TCP

func (p elsewhereTCP) Probe(ctx context.Context, u *balancer.Upstream) error {
	return TCP(p).probe(ctx, u)
}
