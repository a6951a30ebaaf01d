package proxy

import (
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/http1"
)

// This file reuses the memory of plain requests. A request's memory is reused only if
// nothing can still refer to it: its only attempt has answered it completely, without
// another goroutine. The garbage collector frees the rest.

// usualFields is the number of fields for the upstream that need no allocation.
const usualFields = 32

// room is the memory for one delivery by the plain relay.
type room struct {
	delivery delivery
	request  http1.Request
	head     header.Head
	fields   [usualFields]header.Field
}

// newRoom returns an empty room.
func (p *Proxy) newRoom() *room {
	if r, ok := p.rooms.Get().(*room); ok {
		return r
	}
	return new(room)
}

// emptyExchange returns an exchange with only its proxy set.
func (p *Proxy) emptyExchange() *exchange {
	x, ok := p.exchanges.Get().(*exchange)
	if !ok {
		x = new(exchange)
		x.interim.pass = x.inform
	}
	x.proxy = p
	return x
}

// reuse returns the memory of an ended exchange to the pools, if nothing can still refer
// to it.
func (x *exchange) reuse() {
	if !x.answered || x.body != nil || x.room == nil || x.delivery != &x.room.delivery || !x.delivery.settled() {
		return
	}
	p, r, pass := x.proxy, x.room, x.interim.pass
	*r = room{}
	p.rooms.Put(r)
	*x = exchange{interim: interim{pass: pass}}
	p.exchanges.Put(x)
}

// settled reports whether the delivery had only one attempt, and nothing uses that
// attempt any more.
func (d *delivery) settled() bool {
	return len(d.record.Attempts) == 1 && d.hedged == 0 && d.first.call.Settled()
}
