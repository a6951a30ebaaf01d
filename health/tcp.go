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

// TCP probes by connecting, and by a TLS handshake if the upstream is reached by
// TLS; with Steps it also talks. Without TLS and steps it finds out that something listens, not that it answers:
// the kernel accepts connections for a program that hangs. [NewAlive] finds out
// whether it answers.
//
// The connection is ended the ordinary way and not by a reset, which servers
// that speak first (mail, databases) log or count as an attack.
type TCP struct {
	TLS     *tls.Config // how upstreams reached by TLS are trusted; nil = the zero value, an empty ServerName = the upstream's
	Preface []byte      // sent first on each connection, before TLS; nil = nothing
	Target  Target      // where the probe goes, if not to the traffic's address; Preface does not go to another port
	Steps   []Step      // what is said once the connection stands, in this order; nil = nothing
	MaxData int64       // bytes that the upstream may send; 0 = 64 KiB
}

// Step is a part of a conversation over TCP: first goodgate sends, then it waits for what it
// expects. All conditions look at what the upstream has sent since goodgate last sent something.
type Step struct {
	Send   []byte         // nil = nothing
	Expect []byte         // must be in it; nil = anything, also nothing
	Regexp *regexp.Regexp // must match in it; nil = anything
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

// Talks reports whether the upstream has to say something.
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

// talk goes through the steps.
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

// met reports whether a step has what it expects.
func (s *Step) met(heard []byte) bool {
	return bytes.Contains(heard, s.Expect) && (s.Regexp == nil || s.Regexp.Match(heard))
}

// elsewhereTCP is [TCP] without regard to the traffic's port.
type elsewhereTCP TCP

func (p elsewhereTCP) Probe(ctx context.Context, u *balancer.Upstream) error {
	return TCP(p).probe(ctx, u)
}
