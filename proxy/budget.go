package proxy

import (
	"sync/atomic"

	"golang.org/x/time/rate"
)

// budgetCap bounds the retries that a quiet time can save up.
const budgetCap = 100

// budget limits a pool's retries to a share of its requests, so that retries cannot turn
// an overload into a collapse. Each request pays a share of a token. Each retry takes a
// token, and returns it if it succeeds. So the budget bounds the retries that do not
// help. For pools with little traffic there is also a reserve: a small rate of retries,
// which is not added to the share. (Finagle's RetryBudget adds it. See also "Site
// Reliability Engineering", chapter 21.)
//
// While most attempts time out, the pool is overloaded, and a retry would add to the
// load. Then nothing is retried. The strain detects this without a clock. A timeout
// raises it, anything else lowers it, and a successful retry lowers it most, because it
// shows that retries help. So it rises only when most attempts time out and retries do
// not help. One hanging upstream of several does not raise it.
type budget struct {
	share   int64        // thousandths of a token for each request
	paid    atomic.Int64 // total of the shares, in thousandths of a token
	reserve *rate.Limiter
	*account
}

// account is the balance of a pool. It survives reloads.
type account struct {
	balance atomic.Int64 // thousandths of a token
	strain  atomic.Int64 // from 0 to strainMax; above strainLimit nothing is retried
}

const (
	strainLimit = 20
	strainMax   = 40
	strainHelp  = 3 // the amount by which a successful retry lowers it
)

func newBudget(share, perSecond float64) *budget {
	return &budget{
		share:   int64(share * 1000),
		reserve: rate.NewLimiter(rate.Limit(perSecond), int(max(perSecond, 1))),
		account: new(account),
	}
}

// with returns the budget with other options. Both use the same account, since requests
// from before and after a reload run side by side.
func (b *budget) with(share, perSecond float64) *budget {
	next := newBudget(share, perSecond)
	next.account = b.account
	if next.reserve.Limit() == b.reserve.Limit() {
		next.reserve = b.reserve
	}
	return next
}

// deposit pays for one request to the pool.
func (p *Pool) deposit() {
	p.budget.deposit()
	p.hedging.deposit()
}

// deposit pays for one request. For each whole token paid, it takes one from the reserve,
// or else one from that of the next second. So the reserve is not added to the share.
func (b *budget) deposit() {
	b.add(b.share)
	most := b.reserve.Limit()
	if most > 0 && b.share > 0 && b.paid.Add(b.share)%1000 < b.share && b.reserve.Tokens() > -float64(most) {
		b.reserve.Reserve()
	}
}

// refund returns the token of a successful retry.
func (b *budget) refund() { b.add(1000) }

// timedOut raises the strain after a timeout, and relieve lowers it after anything else.
// Updates at the same moment may get lost.
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

// withdraw takes a token for a retry, and reports whether there was one.
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

// left returns the number of retries allowed now, without the shares of coming requests.
func (b *budget) left() int {
	n := int(b.balance.Load() / 1000)
	if b.reserve.Limit() > 0 {
		n += max(int(b.reserve.Tokens()), 0)
	}
	return n
}
