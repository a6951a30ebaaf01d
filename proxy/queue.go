package proxy

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/goodgate/goodgate/reason"

	limits "github.com/goodgate/goodgate/internal/limit"
)

// enter takes a place in the pool's queue, which bounds the requests at the upstreams.
// With places that count only until the response header, a request that streams its body
// gives its place back at once.
func (d *delivery) enter() *Error {
	err := d.takePlace()
	if d.sends() {
		d.headed()
	}
	return err
}

// sends reports whether the client may still send its body while it waits for the answer,
// or either side may send a stream.
func (d *delivery) sends() bool { return d.live || d.streaming || !d.body.whole() }

// headed gives the place back at the response header, if places count only until then.
func (d *delivery) headed() {
	if d.queued && d.pool.FreesAtHeader() {
		d.leave()
	}
}

func (d *delivery) takePlace() *Error {
	q := d.pool.queue
	if q == nil {
		return nil
	}
	if d.queued = q.TryEnter(); d.queued {
		return nil
	}
	t := limits.Ticket{Client: addressKey(d.client), Priority: d.priority}
	if d.deadline > 0 {
		t.Deadline = d.start.Add(d.deadline)
		t.Deadline = t.Deadline.Add(-min(d.pool.typical(), d.deadline/2))
	}
	began := time.Now()
	err := q.Enter(d.ctx, t)
	d.choice.Now = 0 // the wait may have been long
	d.record.Queued += time.Since(began)
	if err == nil {
		d.queued = true
		return nil
	}
	if contextReason(d.ctx) == reason.ClientGone {
		return &Error{Reason: reason.ClientGone, Err: err}
	}
	return &Error{Reason: reason.Overloaded, Err: err}
}

// leave gives the place back.
func (d *delivery) leave() {
	if d.queued {
		d.queued = false
		d.pool.queue.Leave()
	}
}

// typical returns the latency of the fastest available upstream, 0 when it is unknown.
func (p *Pool) typical() (least time.Duration) {
	members := p.Members()
	for i := range members {
		if d := members[i].Latency(); d > 0 && members[i].Available() && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}

// addressKey identifies a client for fairness: an IPv4 address, or the /64 of an IPv6
// address, which one customer has.
func addressKey(a netip.Addr) uint64 {
	if a.Is4() {
		b := a.As4()
		return uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8])
}
