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

// firstWait bounds how long an upstream that may not know the question waits for its
// first verdict, or for its return.
const firstWait = 250 * time.Millisecond

// AliveOptions configure an alive probe.
type AliveOptions struct {
	TLS     *tls.Config // settings for upstreams with TLS; nil = the zero value; an empty ServerName = the upstream's
	Preface []byte      // bytes to send first on each connection, before TLS; nil = none
	HTTP2   bool        // ask over HTTP/2: without TLS by prior knowledge, with TLS if the upstream agrees
	Auto    bool        // with TLS, ask over the protocol that the upstream prefers, HTTP/2 or HTTP/1.1
}

// Alive is a [Prober] that finds out whether the process behind an address runs. Use
// [NewAlive].
type Alive struct {
	dialer dialer
	http2  bool // without TLS
}

// NewAlive returns a [Prober] that asks a question which every HTTP server can answer
// without its application: OPTIONS * (RFC 9110, section 9.3.7). Any reaction is a sign of
// life: a byte of any answer, or the end of the connection. Over HTTP/2 only an answer to
// the question counts: a library may send SETTINGS while the application hangs. A stopped
// or hanging process does not react, although its kernel accepts connections.
//
// The probe fails if the connection or TLS handshake fails, and on silence. Silence counts
// only if the upstream has answered the question since it last refused a connection, and
// has answered no live request during the probe. Otherwise the probe passes, as a probe of
// [TCP] does. Only a [Checker] remembers earlier answers, so a probe without one never
// counts silence.
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

// Ask is Probe, and also reports whether the upstream has reacted.
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
				k.answered = false // another program may listen there next
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
	case !silence(err): // the connection has ended: the process has reacted
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

// resume continues to wait on a connection with an open question. It returns nil if there
// is none, or if it has ended. The end proves nothing: the kernel also ends the
// connections of a process that has died.
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

// silence reports whether a connection's error proves nothing about the process on the
// other side. The network may report the other side as unreachable.
func silence(err error) bool {
	return timedOut(err) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}

// speaksHTTP2 reports whether the probe asks over HTTP/2.
func (p *Alive) speaksHTTP2(conn net.Conn) bool {
	if t, ok := conn.(*tls.Conn); ok {
		return t.ConnectionState().NegotiatedProtocol == "h2"
	}
	return p.http2
}

// question returns the bytes of the question.
func (p *Alive) question(conn net.Conn, u *balancer.Upstream) []byte {
	if p.speaksHTTP2(conn) {
		return http2Question(u)
	}
	return []byte("OPTIONS * HTTP/1.1\r\nHost: " + u.Authority() + "\r\nUser-Agent: " + userAgent + "\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n")
}

// part closes a connection in the ordinary way after an answer.
func (p *Alive) part(ctx context.Context, conn net.Conn) {
	if p.speaksHTTP2(conn) {
		io.WriteString(conn, goAway)
		if w, ok := conn.(interface{ CloseWrite() error }); ok {
			w.CloseWrite()
		}
	}
	linger(ctx, conn, conn)
}
