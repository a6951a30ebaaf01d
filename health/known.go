package health

import (
	"context"
	"net"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// questionLife bounds how long one question waits for its answer. A connection
// whose answer was lost would else keep an upstream out that answers others.
const questionLife = 10 * time.Second

// known is what the alive probes of one upstream have learned of it. The zero
// value has learned nothing. It belongs to one probe at a time.
type known struct {
	answered bool      // it has answered the question since it last refused a connection
	asked    net.Conn  // where the question still waits for its answer; nil = nowhere
	until    time.Time // when the question is to be asked anew
	frames   frames    // what was heard there
	kept     *Kept     // bounds such connections; nil = there are none
}

// knower is a [Prober] that learns from one probe for the next.
type knower interface {
	probeKnowing(ctx context.Context, u *balancer.Upstream, k *known) error
}

// take returns the connection on which the question still waits, nil when there is
// none. The caller keeps it again or closes it.
func (k *known) take(now time.Time) net.Conn {
	if !now.Before(k.until) {
		k.close()
	}
	c := k.asked
	if c != nil {
		k.asked = nil
		k.kept.give()
	}
	return c
}

// hear waits for an answer to the question.
func (k *known) hear(c net.Conn) error {
	var room [512]byte
	for {
		n, err := c.Read(room[:])
		if k.frames.answer(room[:n]) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// keep leaves the question open for the next probe. A server that is busy then
// finds one in its backlog, however long it is busy: a backlog has 5 places in
// some, and what is full of probes has none left for requests. A question that the
// other side's kernel has not got is not kept, since a new one may get there sooner.
func (k *known) keep(c net.Conn) {
	if !delivered(c) || guardOf(c).release() != nil || !k.kept.take() {
		c.Close()
		return
	}
	k.asked = c
}

// close ends a question that waits.
func (k *known) close() {
	if k.asked != nil {
		k.asked.Close()
		k.asked = nil
		k.kept.give()
	}
}

// delivered reports whether everything that was written to a connection made by
// dial is known to have arrived. What is written to a unix socket has.
func delivered(c net.Conn) bool {
	g := guardOf(c)
	if _, ok := g.Conn.(*net.UnixConn); ok {
		return true
	}
	raw := socket.Raw(g.Conn)
	if raw == nil {
		return false
	}
	var tcp socket.TCP
	var ok bool
	err := raw.Control(func(fd uintptr) { tcp, ok = socket.AskTCP(fd) })
	return err == nil && ok && tcp.Acked > uint64(g.sent.Load()) // the SYN counts as one
}
