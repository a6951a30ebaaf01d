package admin

import (
	"fmt"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
)

// left returns a trouble if many clients leave before they have an answer.
func (p *Pool) left(now time.Time) (Trouble, bool) {
	s := p.seen[situation.ClientsLeave]
	if s == nil || s.n < manyLeft || leftShare*s.n < int(p.Minute.Requests) {
		return Trouble{}, false
	}
	t := tell(situation.ClientsLeave, situation.Facts{Pool: p.Name}, now.Sub(s.last) > recently,
		fmt.Sprintf("This affected %s of %s in the last minute, %s.", number(s.n), counted(p.Minute.Requests, "request"), times(s.first, s.last, now, s.n)),
		"The longest wait was "+round(s.longest)+".", p.flying())
	t.First, t.Last = s.first, s.last
	t.raise(2*s.n > int(p.Minute.Requests))
	return t, true
}

const (
	manyLeft  = 10 // clients that left in a minute
	leftShare = 5  // the inverse of the share that is many
)

// flying says how many requests are in flight, if they are many.
func (p *Pool) flying() string {
	if p.InFlight < manyFlying {
		return ""
	}
	return number(p.InFlight) + " requests are in flight."
}

// manyFlying is the number of requests in flight that is worth mentioning.
const manyFlying = 20

// trouble returns a trouble if new clients wait, or have waited in the last minute.
func (c *Crowd) trouble(now time.Time) (Trouble, bool) {
	if !c.Waits && now.Sub(c.Last) > time.Minute {
		return Trouble{}, false
	}
	where, when := "The listeners together", "The last time was "+clock(c.Last, now)+"."
	if c.Listener != "" {
		where = "Listener " + c.Listener
	}
	if c.Waits {
		when = "This has lasted since " + clock(c.Since, now) + "."
	}
	t := tell(situation.ClientsWait, situation.Facts{Name: where, N: c.Clients}, !c.Waits && now.Sub(c.Last) > recently, when)
	t.First, t.Last = c.Since, c.Last
	t.raise(c.Waits && now.Sub(c.Since) >= time.Second)
	return t, true
}
