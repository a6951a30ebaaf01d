package gate

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
	"github.com/goodgate/goodgate/internal/metrics"
)

// feed is where a pool's upstreams come from: one source an entry.
type feed struct {
	*discovery.Merged
	entries []feedEntry
	task    *task
	fixed   bool // every upstream stands in the configuration: nothing has to be looked up
}

type feedEntry struct {
	from  config.Upstream
	dns   config.DNS
	fixed bool // it has nothing to look up
	kept  *discovery.Kept
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
		f.entries = append(f.entries, feedEntry{u, c.DNS, fixed, kept})
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
		if e.dns == dns && reflect.DeepEqual(e.from, u) {
			return e.kept
		}
	}
	return nil
}

// begin makes sources begin with what the process before this one has found. It is
// called before they run.
func (f *feed) begin(found map[string][]discovery.Target) {
	for _, e := range f.entries {
		if !e.fixed {
			e.kept.Begin(found[e.from.Source()])
		}
	}
}

// found returns the last good set of each source that has something to look up.
func (f *feed) found() map[string][]discovery.Target {
	all := map[string][]discovery.Target{}
	for _, e := range f.entries {
		if last := e.kept.Last(); !e.fixed && len(last) > 0 {
			all[e.from.Source()] = last
		}
	}
	return all
}

// sources says how the sources do that have something to look up.
func (f *feed) sources() []admin.Source {
	var list []admin.Source
	for _, e := range f.entries {
		if e.fixed {
			continue
		}
		s := e.kept.State()
		out := admin.Source{Name: e.from.Source(), Upstreams: s.Targets, Looked: s.Looked, Failing: s.Failing, Error: s.Error, Failures: s.Failures, Omitted: s.Omitted}
		for _, l := range s.LeftOut {
			out.LeftOut = append(out.LeftOut, admin.LeftOut{What: l.What, Why: l.Why})
		}
		list = append(list, out)
	}
	return list
}

// sourceCounts are [Gate.sources] for metrics.
func (g *Gate) sourceCounts(pool string) []metrics.Source {
	var list []metrics.Source
	for _, s := range g.sources(pool) {
		list = append(list, metrics.Source{Name: s.Name, Upstreams: s.Upstreams, LeftOut: len(s.LeftOut) + s.Omitted,
			Looked: s.Looked, Failing: !s.Failing.IsZero(), Failures: s.Failures})
	}
	return list
}

// entryOf returns the entry that has found an address, the first of several.
func (f *feed) entryOf(address string) (config.Upstream, bool) {
	for _, e := range f.entries {
		if slices.ContainsFunc(e.kept.Last(), func(t discovery.Target) bool { return t.Addr == address }) {
			return e.from, true
		}
	}
	return config.Upstream{}, false
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
			p.log.Warn("upstream lookup is slow: requests arrive before its first answer", "waited", firstAnswers.String())
		}
		p.awaitExtras(ctx.Done())
	}
}
