package health

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/reason"
)

// firstWait bounds how long an upstream that need not answer keeps its first
// verdict, or its return, waiting.
const firstWait = 250 * time.Millisecond

// AliveOptions say how an alive probe asks.
type AliveOptions struct {
	TLS     *tls.Config // how upstreams reached by TLS are trusted; nil = the zero value, an empty ServerName = the upstream's
	Preface []byte      // sent first on each connection, before TLS; nil = nothing
	HTTP2   bool        // ask by HTTP/2, in the clear by prior knowledge; over TLS, if the upstream agrees on it
	Auto    bool        // over TLS, ask by what the upstream prefers, HTTP/2 or HTTP/1.1
}

// Alive is a [Prober] that finds out whether the process behind an address runs.
// Use [NewAlive].
type Alive struct {
	dialer dialer
	http2  bool // in the clear
}

// NewAlive returns a [Prober] that asks what every HTTP server can answer and no
// application has to understand, OPTIONS * (RFC 9110, section 9.3.7), and takes every
// reaction as a sign of life: a byte of any answer, or the end of the connection. Over
// HTTP/2 the answer has to be to the request, for libraries send SETTINGS by themselves
// while the application hangs. A process that is stopped, or hangs, does not react,
// though its kernel accepts connections.
//
// What fails is a connection or TLS handshake that cannot be made, and silence. Silence
// counts only when the upstream has answered the question before, since it last
// refused a connection, and when it answered no live request meanwhile. Otherwise
// the probe passes as one of [TCP] does. Only a [Checker] remembers what was
// answered: to Probe alone, no upstream is silent.
func NewAlive(o AliveOptions) *Alive {
	var protos []string
	switch {
	case o.HTTP2:
		protos = []string{"h2"}
	case o.Auto:
		protos = []string{"h2", "http/1.1"}
	}
	return &Alive{dialer: newDialer(Target{}, o.TLS, o.Preface, protos...), http2: o.HTTP2}
}

// Probe implements [Prober].
func (p *Alive) Probe(ctx context.Context, u *balancer.Upstream) error {
	_, err := p.Ask(ctx, u)
	return err
}

// Ask is Probe, and reports whether the upstream said anything.
func (p *Alive) Ask(ctx context.Context, u *balancer.Upstream) (answered bool, err error) {
	var k known
	err = p.probeKnowing(ctx, u, &k)
	return k.answered, err
}

// probeKnowing implements [knower].
func (p *Alive) probeKnowing(ctx context.Context, u *balancer.Upstream, k *known) error {
	began := time.Now()
	conn, err := p.resume(ctx, k, began)
	if conn == nil {
		k.until = began.Add(questionLife)
		if conn, err = p.dialer.dial(ctx, u); err != nil {
			if Result(err) == balancer.Refused {
				k.answered = false // who listens there next may be another program
			}
			return err
		}
		k.frames = frames{on: p.speaksHTTP2(conn)}
		err = p.ask(conn, u, k)
	}
	switch {
	case err == nil:
		k.answered = true
		u.Answered(time.Now())
		p.part(ctx, conn)
	case !silence(err): // the connection has ended, by which the process has reacted
		u.Answered(time.Now())
		conn.Close()
	case !k.answered || u.HeardSince(began):
		conn.Close()
	default:
		k.keep(conn)
		return &Error{Result: balancer.Silent, Reason: reason.ResponseTimeout, Err: during(ctx, "waiting for any answer to OPTIONS *", err)}
	}
	return nil
}

// resume goes on to listen on a connection where the question waits. It returns
// nil when there is none, and for one that has ended. By whom it was ended is not
// known: the kernel does it for a process that has died.
func (p *Alive) resume(ctx context.Context, k *known, now time.Time) (net.Conn, error) {
	conn := k.take(now)
	if conn == nil {
		return nil, nil
	}
	guardOf(conn).watch(ctx)
	err := k.hear(conn)
	if err != nil && !silence(err) {
		conn.Close()
		return nil, nil
	}
	return conn, err
}

// ask sends the question and waits for a reaction.
func (p *Alive) ask(conn net.Conn, u *balancer.Upstream, k *known) error {
	if _, err := conn.Write(p.question(conn, u)); err != nil {
		return err
	}
	if !k.answered && u.Health() != balancer.Up {
		conn.SetReadDeadline(time.Now().Add(firstWait))
	}
	return k.hear(conn)
}

// silence reports whether an error on a connection says nothing of the other
// side's process. The network may tell that the other side is out of reach.
func silence(err error) bool {
	return timedOut(err) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

// speaksHTTP2 reports whether the question is asked by HTTP/2.
func (p *Alive) speaksHTTP2(conn net.Conn) bool {
	if t, ok := conn.(*tls.Conn); ok {
		return t.ConnectionState().NegotiatedProtocol == "h2"
	}
	return p.http2
}

// question returns what is asked.
func (p *Alive) question(conn net.Conn, u *balancer.Upstream) []byte {
	if p.speaksHTTP2(conn) {
		return http2Question(u)
	}
	return []byte("OPTIONS * HTTP/1.1\r\nHost: " + u.Authority() + "\r\nUser-Agent: " + userAgent + "\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n")
}

// part ends a connection over which an answer came, in the ordinary way.
func (p *Alive) part(ctx context.Context, conn net.Conn) {
	if p.speaksHTTP2(conn) {
		io.WriteString(conn, goAway)
		if w, ok := conn.(interface{ CloseWrite() error }); ok {
			w.CloseWrite()
		}
	}
	linger(ctx, conn, conn)
}
