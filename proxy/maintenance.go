package proxy

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"slices"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// Maintenance makes a pool answer 503 to all clients except testers. Health checks
// continue. It is immutable.
type Maintenance struct {
	Page        []byte         // for clients that do not ask for JSON; nil = the error page
	ContentType string         // of Page; empty = text/html; charset=utf-8
	RetryAfter  time.Duration  // for the answer; 0 = 1 s
	Clients     []netip.Prefix // networks of the testers
	Passes      []Pass
}

// Pass is a header, a cookie or a query parameter that identifies testers.
type Pass struct {
	Of   Source
	Name string
	Sum  [sha256.Size]byte // of the value, so that a configuration or status page does not reveal it
}

// admits reports whether a request is from a tester.
func (m *Maintenance) admits(x *exchange) bool {
	client := x.record.Client.Unmap()
	if client.IsValid() && slices.ContainsFunc(m.Clients, func(p netip.Prefix) bool { return p.Contains(client) }) {
		return true
	}
	return slices.ContainsFunc(m.Passes, func(p Pass) bool { return p.in(x.request) })
}

func (p *Pass) in(r *Request) bool {
	for v := range p.Of.values(r, p.Name) {
		if sum := sha256.Sum256([]byte(v)); subtle.ConstantTimeCompare(sum[:], p.Sum[:]) == 1 {
			return true
		}
	}
	return false
}

// word is the operator's order about a pool. The pools that With returns share it.
type word struct {
	maintenance *Maintenance // nil = none
}

// SetMaintenance starts a maintenance; nil ends it. Either call overrides
// PoolOptions.Maintenance until ClearMaintenance.
func (p *Pool) SetMaintenance(m *Maintenance) { p.word.Store(&word{m}) }

// ClearMaintenance undoes SetMaintenance. PoolOptions.Maintenance applies again.
func (p *Pool) ClearMaintenance() { p.word.Store(nil) }

// Maintained returns the current maintenance of the pool, or nil.
func (p *Pool) Maintained() *Maintenance {
	if w := p.word.Load(); w != nil {
		return w.maintenance
	}
	return p.opts.Maintenance
}

// closed returns the failure for a request, other than a tester's, to a pool under
// maintenance. Otherwise it returns nil.
func (x *exchange) closed(pool *Pool) *Error {
	m := pool.Maintained()
	if m == nil || m.admits(x) {
		return nil
	}
	return &Error{Reason: reason.Maintenance, RetryAfter: m.RetryAfter, maintenance: m}
}
