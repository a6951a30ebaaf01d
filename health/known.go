package health

import (
	"context"
	"net"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// questionLife bounds how long a question waits for its answer. Otherwise one connection
// that lost its answer would keep out an upstream that answers on others.
const questionLife = 10 * time.Second

// known is the knowledge of the alive probes about one upstream. The zero value is none.
// It belongs to one probe at a time.
type known struct {
	answered bool      // the upstream has answered the question since it last refused a connection
	asked    net.Conn  // connection with an open question; nil = none
	until    time.Time // time to ask again
	frames   frames    // state of the bytes received there
	kept     *Kept     // bounds such connections; nil = keep none
}

// knower is a [Prober] that remembers facts from one probe to the next.
type knower interface {
	probeKnowing(ctx context.Context, u *balancer.Upstream, k *known) error
}

// take returns the connection with the open question, nil if there is none. The caller
// must keep it again or close it.
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

// keep leaves the question open for the next probe. So a busy server has only one probe
// in its backlog, however long it is busy. Some backlogs have 5 places, and one full of
// probes has none for requests. keep drops a question that has not reached the other
// side's kernel, because a new one may arrive sooner.
func (k *known) keep(c net.Conn) {
	if !delivered(c) || guardOf(c).release() != nil || !k.kept.take() {
		c.Close()
		return
	}
	k.asked = c
}

// close drops an open question.
func (k *known) close() {
	if k.asked != nil {
		k.asked.Close()
		k.asked = nil
		k.kept.give()
	}
}

// delivered reports whether all bytes written to a connection made by dial are known to
// have arrived. On a unix socket they always have.
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
