package gate

import (
	"errors"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/admin"
)

// findings keeps the result of the last health check of each upstream, by address.
type findings struct {
	mu     sync.Mutex // protects checks
	checks map[string]admin.Check
}

// note records the result of a check by the pool from, "" = by its own pool. It ignores
// checks that this machine had no resources to make.
func (f *findings) note(e health.Event, from string, now time.Time) {
	if errors.Is(e.Err, health.ErrNotProbed) {
		return
	}
	addr := e.Upstream.Addr()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.checks == nil {
		f.checks = map[string]admin.Check{}
	}
	c := admin.NewCheck(e.Err, now, e.Took)
	c.From = from
	if before, known := f.checks[addr]; known && before.Passed == c.Passed {
		c.Since = before.Since
	}
	f.checks[addr] = c
}

// of returns the last check of an upstream; its At is zero when there was none.
func (f *findings) of(addr string) admin.Check {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.checks[addr]
}

// keep drops the results of all upstreams that are not in present.
func (f *findings) keep(present []balancer.Member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := make(map[string]admin.Check, len(present))
	for i := range present {
		if c, ok := f.checks[present[i].Addr()]; ok {
			kept[present[i].Addr()] = c
		}
	}
	f.checks = kept
}
