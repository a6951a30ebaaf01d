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

// Call is what one call of RoundTrip or Send learns about its connection, and
// the room for the response of Send. The zero value is ready; it serves one call.
// The methods may be called at any time and from any goroutine, the fields be read
// once the call has returned. The counters move on while the bodies do.
type Call struct {
	// Context ends the call in place of the request's; nil = that one does.
	Context context.Context
	// Prompt asks for the end of the context to be minded at any time, which costs
	// more. Else that of a request without a body to speak of is noticed after 25 ms
	// without a byte from the upstream.
	Prompt bool

	// Got1xx, if not nil, is called with every informational response but 101,
	// on the goroutine of the call. Its error ends the call.
	Got1xx func(code int, header textproto.MIMEHeader) error

	// Careful asks for a connection that the upstream is very unlikely to be
	// closing just now, if need be a new one: the request cannot be sent again.
	Careful bool

	// Fresh says that idle connections may be dead, so that they are closed. Where requests
	// share connections, those are left out of which nothing was heard just now.
	Fresh bool

	// Preface is what the connection begins with, for a transport that keeps the
	// connections of different clients apart. This one does not look at it.
	Preface []byte

	// Slow, if not nil, is told when no response header has come by SlowAt, on
	// the goroutine of the call, which then waits on. Another transport calls
	// Beside.
	Slow   Slow
	SlowAt time.Time

	// Reused tells that the connection had served before, IdleFor how long it
	// had been unused then.
	Reused  bool
	IdleFor time.Duration

	// Undelivered tells of a failed call that the upstream has provably not
	// processed the request, although bytes were written. False proves nothing.
	// Over HTTP/1.1 its kernel has taken no byte, which is found out on Linux,
	// over plain TCP and on a reused connection, in a round trip and at most
	// 100 ms. Over HTTP/2 the upstream has said so.
	Undelivered bool

	written, received atomic.Int64
	acked             atomic.Int64 // and one; 0 = not known
	ended             atomic.Uint32
	raw               atomic.Pointer[syscall.RawConn] // the connection's socket; nil = none
	stuck             struct {                        // what Unacknowledged has seen
		on    *syscall.RawConn // something there is not acknowledged; nil = nothing was
		at    uint64           // bytes that were acknowledged then
		since time.Time        // and no others
	}

	turn  turn
	asked bool            // Slow was
	ctx   context.Context // that Slow returned; nil = the request's

	res     message.Response // its Head is head
	head    header.Head      // until the response's comes, RoundTrip has the request's in it
	room    [24]header.Field // for head; few responses have more
	body    body
	chunked bool        // the response has a Transfer-Encoding
	settled atomic.Bool // see Settled
}

// emptyHead returns head without any fields.
func (x *Call) emptyHead() *header.Head {
	if x.head.Fields == nil {
		x.head.Fields = x.room[:0]
	}
	x.head.Reset()
	return &x.head
}

// Settled reports, when a response over HTTP/1.1 has ended and the calls of its body
// have returned, that nothing looks at x or the request any more, so that they may
// serve another call. False proves nothing.
func (x *Call) Settled() bool { return x.settled.Load() }

// Written returns how many bytes of the request were given to the kernel. Zero
// means that the upstream cannot have seen any of it.
func (x *Call) Written() int64 { return x.written.Load() }

// Wrote adds to Written. It is for other transports.
func (x *Call) Wrote(n int64) { x.written.Add(n) }

// Got adds to Received. It is for other transports.
func (x *Call) Got(n int64) { x.received.Add(n) }

// Received returns how many bytes came from the upstream.
func (x *Call) Received() int64 { return x.received.Load() }

// Acked returns how many bytes of the request the upstream's kernel has
// acknowledged, of a call that failed before its response. It may have taken
// more, since it may put its word off for 40 ms, and its application may have read less.
// It is known on Linux, over plain TCP.
func (x *Call) Acked() (n int64, known bool) {
	a := x.acked.Load()
	return a - 1, a > 0
}

// Over says on which socket the call is sent; nil = none that can be asked. It is for
// other transports.
func (x *Call) Over(raw *syscall.RawConn) { x.raw.Store(raw) }

// roundTrips is how many of them TCP's word may take, after which it is overdue. It
// may be put off, and the first packet may get lost.
const roundTrips = 3

// Unacknowledged reports, while the call waits, whether the upstream's TCP has
// acknowledged nothing for d, and for several round trips, although something was
// sent: the connection is dead, or the network is. It goes by what it sees each time
// that it is asked, by the goroutine that Slow is told on, so the first time it is
// false. It is known on Linux, over TCP.
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

// On says on which connection the call is sent: one that had served before and was
// unused for some time, or a new one. What was learned of an earlier connection, which
// took nothing of the request, no longer holds.
func (x *Call) On(reused bool, unused time.Duration) {
	x.Reused, x.IdleFor, x.Undelivered = reused, unused, false
	x.ended.Store(uint32(NoEnd))
	x.acked.Store(0)
}

// End returns how the connection ended.
func (x *Call) End() End { return End(x.ended.Load()) }

// sawEnd keeps the first end: what follows a RST looks like a FIN.
func (x *Call) sawEnd(e End) { x.ended.CompareAndSwap(uint32(NoEnd), uint32(e)) }
