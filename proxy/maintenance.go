package proxy

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"slices"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// Maintenance makes a pool answer 503, by the operator's order, but for testers. Health
// checks go on. It is immutable.
type Maintenance struct {
	Page        []byte        // for clients that do not ask for JSON; nil = the error page
	ContentType string        // of Page; empty = text/html; charset=utf-8
	RetryAfter  time.Duration // that the answer tells; 0 = 1 s
	Clients     []netip.Prefix
	Passes      []Pass
}

// Pass is a header, a cookie or a parameter by which testers are known.
type Pass struct {
	Of   Source
	Name string
	Sum  [sha256.Size]byte // of the value, which nobody who looks at this learns
}

// admits reports whether a request is a tester's.
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

// word is the operator's about a pool, for all views of it.
type word struct {
	maintenance *Maintenance // nil = none
}

// SetMaintenance begins a maintenance, or ends it with nil, whatever the options say.
// ClearMaintenance makes the options count again.
func (p *Pool) SetMaintenance(m *Maintenance) { p.word.Store(&word{m}) }

// ClearMaintenance takes SetMaintenance back.
func (p *Pool) ClearMaintenance() { p.word.Store(nil) }

// Maintained returns the maintenance under which the pool is, nil without one.
func (p *Pool) Maintained() *Maintenance {
	if w := p.word.Load(); w != nil {
		return w.maintenance
	}
	return p.opts.Maintenance
}

// closed says that the pool is under maintenance and the request is no tester's.
func (x *exchange) closed(pool *Pool) *Error {
	m := pool.Maintained()
	if m == nil || m.admits(x) {
		return nil
	}
	return &Error{Reason: reason.Maintenance, RetryAfter: m.RetryAfter, maintenance: m}
}
