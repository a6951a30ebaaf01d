package proxy

import (
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/http1"
)

// This file uses the memory of plain requests again. Only what nothing can still look
// at is used again: a request that was answered whole by its only attempt, without a
// goroutine beside its own. All others are left to the garbage collector.

// usualFields is how many fields a request may have upstream without an allocation.
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

// emptyExchange returns an exchange of which nothing is set but its proxy.
func (p *Proxy) emptyExchange() *exchange {
	x, ok := p.exchanges.Get().(*exchange)
	if !ok {
		x = new(exchange)
		x.interim.pass = x.inform
	}
	x.proxy = p
	return x
}

// reuse leaves the memory of an exchange that has ended to another one, if it may.
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

// settled reports whether the delivery's first attempt was its only one and nothing
// looks at it any more.
func (d *delivery) settled() bool {
	return len(d.record.Attempts) == 1 && d.hedged == 0 && d.first.call.Settled()
}
