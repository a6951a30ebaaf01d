package gate

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// extras finds the upstreams that operators have added to a pool. A feed of their own
// looks them up, in the same way as those of the configuration.
type extras struct {
	mu         sync.Mutex      // held while the feed is replaced; protects the fields below
	background context.Context // the context of the pool's tasks; nil = the pool does not run
	dns        config.DNS      // the settings of the feed
	feed       *feed           // nil = operators have added nothing

	found map[string][]discovery.Target // findings of the previous process, for the first feed
}

// inherit gives the first feed the findings of the previous process. It is called before
// the pool starts.
func (e *extras) inherit(found map[string][]discovery.Target) { e.found = found }

// addTo adds the findings of the feed to found.
func (e *extras) addTo(found map[string][]discovery.Target) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.feed != nil {
		maps.Copy(found, e.feed.found())
	}
}

// entries returns the entries of the feed.
func (e *extras) entries() []config.Upstream {
	if e.feed == nil {
		return nil
	}
	list := make([]config.Upstream, len(e.feed.entries))
	for i, entry := range e.feed.entries {
		list[i] = entry.from
	}
	return list
}

// startExtras looks up the upstreams that operators have added, until ctx ends.
func (p *pool) startExtras(ctx context.Context) {
	p.extras.mu.Lock()
	p.extras.background = ctx
	p.extras.mu.Unlock()
	p.followExtras()
}

// stopExtras ends the lookups for good.
func (p *pool) stopExtras() {
	p.extras.mu.Lock()
	defer p.extras.mu.Unlock()
	p.extras.background = nil
	if p.extras.feed != nil {
		p.extras.feed.task.stop()
	}
}

// followExtras replaces the feed if operators have added or removed upstreams since it
// started, or if the DNS settings have changed. A removal takes effect before it returns,
// and those that stay keep what was found: the new feed may have no answer for long.
func (p *pool) followExtras() {
	e := &p.extras
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.background == nil {
		return
	}
	c, old := p.parts.Load().config, e.feed
	list := p.said().added
	if slices.Equal(list, e.entries()) && (len(list) == 0 || c.DNS == e.dns) {
		return
	}
	if old != nil {
		old.task.stop()
	}
	e.feed = nil
	if len(list) == 0 {
		p.takeExtras(nil)
		return
	}
	next, err := newFeed(config.Pool{Upstreams: list, DNS: c.DNS}, old)
	if err != nil {
		p.log.Error("added upstreams cannot be looked up", "error", err.Error())
		p.takeExtras(nil)
		return
	}
	if old == nil {
		next.begin(e.found)
		e.found = nil
	}
	p.takeExtras(next.Known())
	e.feed, e.dns = next, c.DNS
	next.task = begin(e.background, func(ctx context.Context) {
		if err := next.Run(ctx, discovery.Sink{Update: p.takeExtras, Report: p.extrasFailed}); err != nil {
			p.extrasFailed(err)
		}
	})
}

// awaitExtras waits until the added upstreams have been looked up, or until late closes,
// so that no request arrives before they are known.
func (p *pool) awaitExtras(late <-chan struct{}) {
	p.extras.mu.Lock()
	f := p.extras.feed
	p.extras.mu.Unlock()
	if f == nil {
		return
	}
	select {
	case <-f.Answered():
	case <-late:
	}
}

// awaitAdded waits for an upstream that was just added, for as long as the start of a
// pool waits.
func (p *pool) awaitAdded() {
	ctx, cancel := context.WithTimeout(context.Background(), firstAnswers)
	defer cancel()
	p.awaitExtras(ctx.Done())
}

func (p *pool) extrasFailed(err error) {
	if err == nil {
		p.log.Info("added upstreams can be looked up again")
		return
	}
	p.log.Warn("added upstreams could not be looked up; the known addresses stay in use", "error", err.Error())
}

// refresh looks up all upstreams again.
func (p *pool) refresh(f *feed) {
	f.Refresh()
	if p.extras.mu.TryLock() { // else it is being replaced
		defer p.extras.mu.Unlock()
		if p.extras.feed != nil {
			p.extras.feed.Refresh()
		}
	}
}
