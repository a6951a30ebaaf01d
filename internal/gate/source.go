package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// feed is where a pool's upstreams come from: one source an entry.
type feed struct {
	*discovery.Merged
	entries []feedEntry
	task    *task
	fixed   bool // every upstream stands in the configuration: nothing has to be looked up
}

type feedEntry struct {
	from config.Upstream
	dns  config.DNS
	kept *discovery.Kept
}

// newFeed begins with what an earlier feed has found for the same entries; a
// nil one has found nothing.
func newFeed(c config.Pool, earlier *feed) (*feed, error) {
	f := &feed{fixed: true}
	var sources []discovery.Source
	for i, u := range c.Upstreams {
		s, fixed, err := assemble.Source(u, c.DNS)
		if err != nil {
			return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
		}
		f.fixed = f.fixed && fixed
		kept := discovery.Keep(s, earlier.find(u, c.DNS))
		f.entries = append(f.entries, feedEntry{u, c.DNS, kept})
		sources = append(sources, kept)
	}
	f.Merged = discovery.Merge(sources...)
	return f, nil
}

func (f *feed) find(u config.Upstream, dns config.DNS) *discovery.Kept {
	if f == nil {
		return nil
	}
	for _, e := range f.entries {
		if e.from == u && e.dns == dns {
			return e.kept
		}
	}
	return nil
}

// firstAnswers is how long a start and a reload wait for the first answers of
// DNS and files.
const firstAnswers = time.Second

// awaitSources waits until the pools have the upstreams that their sources find
// first, so that no request comes before them: connections wait in the kernel's
// queue meanwhile. Upstreams that stand in the configuration need no look-up, so
// that the wait for them has no bound; the others have firstAnswers together.
func (g *Gate) awaitSources(pools []*pool) {
	ctx, cancel := context.WithTimeout(g.leaving, firstAnswers)
	defer cancel()
	for _, p := range pools {
		f := p.parts.Load().feed
		late := ctx.Done()
		if f.fixed {
			late = g.leaving.Done()
		}
		select {
		case <-f.Answered():
		case <-late:
			if g.leaving.Err() != nil {
				return
			}
			p.log.Warn("upstreams are still being looked up; requests come before them", "waited", firstAnswers.String())
		}
	}
}
