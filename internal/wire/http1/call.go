package http1

import (
	"context"
	"net/textproto"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/internal/wire/socket"
)

// Call reports the facts about one call of RoundTrip or Send and its connection. It also
// has the memory for the response of Send. The zero value is ready; a Call serves one
// call. Its methods are safe for concurrent use at any time. Read its fields only after
// the call has returned. The counters grow while the bodies are transferred.
type Call struct {
	// Context ends the call in place of the request's context; nil = the request's.
	Context context.Context
	// Prompt makes the call notice the end of its context at any time, which costs more.
	// Otherwise a request with a small body, or none, notices it after 25 ms without a
	// byte from the upstream.
	Prompt bool

	// Got1xx, if not nil, gets every informational response except 101, on the goroutine
	// of the call. Its error ends the call.
	Got1xx func(code int, header textproto.MIMEHeader) error

	// Careful asks for a connection that the upstream is very unlikely to be closing now,
	// if necessary a new one: the request cannot be sent again.
	Careful bool

	// Fresh closes the idle connections before the call, because they may be dead. A
	// transport that shares connections between requests does not use connections without
	// recent bytes from the upstream.
	Fresh bool

	// Preface is the beginning of the connection, for a transport that keeps the
	// connections of different clients apart. This transport ignores it.
	Preface []byte

	// Slow, if not nil, is called at SlowAt if no response header has come, on the
	// goroutine of the call, which then continues to wait. Another transport calls
	// Beside.
	Slow   Slow
	SlowAt time.Time

	// Reused means that the connection had served before; IdleFor is how long it had been
	// idle.
	Reused  bool
	IdleFor time.Duration

	// Undelivered means that the upstream has provably not processed the request of a
	// failed call, although bytes were written. False proves nothing. Over HTTP/1.1 it
	// means that the upstream's kernel has taken no byte. That is known only on Linux, over
	// plain TCP and on a reused connection. The call finds it out in a round trip, 100 ms
	// at most. Over HTTP/2 the upstream has said so.
	Undelivered bool

	written, received atomic.Int64
	acked             atomic.Int64 // bytes acknowledged, plus one; 0 = unknown
	ended             atomic.Uint32
	raw               atomic.Pointer[syscall.RawConn] // the connection's socket; nil = none
	stuck             struct {                        // last observation of Unacknowledged
		on    *syscall.RawConn // connection with unacknowledged bytes; nil = none
		at    uint64           // acknowledged bytes at that time
		since time.Time        // time since which that number is the same
	}

	turn  turn
	asked bool            // Slow was called for the last time
	ctx   context.Context // result of Slow; nil = the request's

	res     message.Response // its Head is head
	head    header.Head      // in RoundTrip it has the request's fields until the response's header comes
	room    [24]header.Field // memory for head; few responses have more fields
	body    body
	chunked bool        // the response has a Transfer-Encoding
	settled atomic.Bool // see Settled
}

// emptyHead returns head without fields.
func (x *Call) emptyHead() *header.Head {
	if x.head.Fields == nil {
		x.head.Fields = x.room[:0]
	}
	x.head.Reset()
	return &x.head
}

// Settled reports whether no goroutine uses x or the request any more, so that both may
// serve another call. Call it after a response over HTTP/1.1 has ended and the calls of
// its body have returned. False proves nothing.
func (x *Call) Settled() bool { return x.settled.Load() }

// Written returns how many bytes of the request the kernel has taken. Zero means that the
// upstream cannot have seen any of it.
func (x *Call) Written() int64 { return x.written.Load() }

// Wrote adds to Written. It is for other transports.
func (x *Call) Wrote(n int64) { x.written.Add(n) }

// Got adds to Received. It is for other transports.
func (x *Call) Got(n int64) { x.received.Add(n) }

// Received returns how many bytes have come from the upstream.
func (x *Call) Received() int64 { return x.received.Load() }

// Acked returns how many bytes of the request the upstream's kernel has acknowledged, for
// a call that failed before its response. The kernel may have taken more, because it may
// delay the acknowledgement by 40 ms. Its application may have read less. known is true
// only on Linux over plain TCP.
func (x *Call) Acked() (n int64, known bool) {
	a := x.acked.Load()
	return a - 1, a > 0
}

// Over sets the socket of the call; nil = none that can be queried. It is for other
// transports.
func (x *Call) Over(raw *syscall.RawConn) { x.raw.Store(raw) }

// roundTrips is the number of round trips after which an acknowledgement is overdue. TCP
// may delay it, and the first packet may be lost.
const roundTrips = 3

// Unacknowledged reports, during the wait of the call, whether the upstream's TCP has
// acknowledged nothing for d and for several round trips, although bytes were sent: the
// connection or the network is dead. It compares its latest two observations, so it
// returns false the first time. Only the goroutine that runs Slow may call it. It works
// only on Linux over TCP.
func (x *Call) Unacknowledged(d time.Duration) bool {
	raw := x.raw.Load()
	if raw == nil {
		return false
	}
	var tcp socket.TCP
	var ok bool
	err := (*raw).Control(func(fd uintptr) { tcp, ok = socket.AskTCP(fd) })
	s := &x.stuck
	switch now := time.Now(); {
	case err != nil || !ok || !tcp.Waiting:
		s.on = nil
	case s.on != raw || tcp.Acked != s.at:
		s.on, s.at, s.since = raw, tcp.Acked, now
	default:
		return now.Sub(s.since) >= max(d, roundTrips*tcp.RoundTrip)
	}
	return false
}

// Sent reports whether a byte of the request may have reached the upstream.
func (x *Call) Sent() bool { return x.Written() > 0 }

// On sets the connection of the call: reused after it was unused for a time, or new. It
// drops the facts about an earlier connection, which took nothing of the request.
func (x *Call) On(reused bool, unused time.Duration) {
	x.Reused, x.IdleFor, x.Undelivered = reused, unused, false
	x.ended.Store(uint32(NoEnd))
	x.acked.Store(0)
}

// End returns how the connection ended.
func (x *Call) End() End { return End(x.ended.Load()) }

// sawEnd keeps the first end: after a RST the next one looks like a FIN.
func (x *Call) sawEnd(e End) { x.ended.CompareAndSwap(uint32(NoEnd), uint32(e)) }
