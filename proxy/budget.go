package proxy

import (
	"sync/atomic"

	"golang.org/x/time/rate"
)

// budgetCap bounds how many retries a quiet time can save up.
const budgetCap = 100

// budget bounds a pool's retries to a share of its requests, so that retries
// cannot turn an overload into a collapse. Each request pays in its share of a
// token, each retry takes one out, and a retry that succeeded brings its token
// back: the budget bounds retries that do not help. A small rate is allowed
// whatever the share, for pools with little traffic; it does not come on top of the
// share. (Finagle, RetryBudget, where it does; "Site Reliability Engineering",
// chapter 21.)
//
// While most attempts end in a timeout, the pool has too much to do and a retry
// adds to it; then there are none. The strain says so without a clock: a timeout
// adds to it, anything else takes from it, and a retry that succeeded takes
// most, because that shows that retries help. So it rises only when timeouts are
// in the majority and retries do not help, and one upstream of several that
// hangs does not raise it.
type budget struct {
	share   int64        // thousandths of a token a request
	paid    atomic.Int64 // by share
	reserve *rate.Limiter
	*account
}

// account is what a pool has left. A reload does not change it.
type account struct {
	balance atomic.Int64 // thousandths of a token
	strain  atomic.Int64 // from 0 to strainMax; beyond strainLimit nothing is retried
}

const (
	strainLimit = 20
	strainMax   = 40
	strainHelp  = 3 // what a retry that succeeded takes from the strain
)

func newBudget(share, perSecond float64) *budget {
	return &budget{
		share:   int64(share * 1000),
		reserve: rate.NewLimiter(rate.Limit(perSecond), int(max(perSecond, 1))),
		account: new(account),
	}
}

// with returns the budget under other options. Both take from the same account,
// as requests of before and after a reload do.
func (b *budget) with(share, perSecond float64) *budget {
	next := newBudget(share, perSecond)
	next.account = b.account
	if next.reserve.Limit() == b.reserve.Limit() {
		next.reserve = b.reserve
	}
	return next
}

// deposit pays in for one request that is sent to the pool.
func (p *Pool) deposit() {
	p.budget.deposit()
	p.hedging.deposit()
}

// deposit pays in for one request. For each token that comes so, one of the reserve
// goes, if need be one that is still to come within the next second.
func (b *budget) deposit() {
	b.add(b.share)
	most := b.reserve.Limit()
	if most > 0 && b.share > 0 && b.paid.Add(b.share)%1000 < b.share && b.reserve.Tokens() > -float64(most) {
		b.reserve.Reserve()
	}
}

// refund brings back the token of a retry that succeeded.
func (b *budget) refund() { b.add(1000) }

// timedOut and relieve keep the strain: of an attempt that ended in a timeout,
// and of one that did not. They are exact but for what is lost when many do it
// at once.
func (b *budget) timedOut() {
	if b.strain.Load() < strainMax {
		b.strain.Add(1)
	}
}

func (b *budget) relieve(n int64) {
	if s := b.strain.Load(); s > 0 {
		b.strain.Add(-min(n, s))
	}
}

// strained reports whether retries would only add to an overload.
func (b *budget) strained() bool { return b.strain.Load() > strainLimit }

func (b *budget) add(n int64) {
	if b.balance.Load() < budgetCap*1000 {
		b.balance.Add(n)
	}
}

// withdraw takes a token for a retry and reports whether there was one.
func (b *budget) withdraw() bool {
	for {
		have := b.balance.Load()
		if have < 1000 {
			return b.reserve.Limit() > 0 && b.reserve.Allow()
		}
		if b.balance.CompareAndSwap(have, have-1000) {
			return true
		}
	}
}

// left returns how many retries are allowed now, but for what the coming
// requests bring.
func (b *budget) left() int {
	n := int(b.balance.Load() / 1000)
	if b.reserve.Limit() > 0 {
		n += max(int(b.reserve.Tokens()), 0)
	}
	return n
}
