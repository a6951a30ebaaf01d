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

// feed finds a pool's upstreams, with one source per entry.
type feed struct {
	*discovery.Merged
	entries []feedEntry
	task    *task
	fixed   bool // the configuration has all addresses: nothing to look up
	pending bool // an entry is new, and its upstreams are not known yet
}

type feedEntry struct {
	from  config.Upstream
	fixed bool // nothing to look up
	kept  *discovery.Kept
}

// newFeed returns a feed that begins with the findings of an earlier feed for the same
// entries, under other DNS settings too; earlier may be nil.
func newFeed(c config.Pool, earlier *feed) (*feed, error) {
	f := &feed{fixed: true}
	var sources []discovery.Source
	for i, u := range c.Upstreams {
		s, fixed, err := assemble.Source(u, c.DNS)
		if err != nil {
			return nil, fmt.Errorf("upstreams[%d]: %w", i, err)
		}
		f.fixed = f.fixed && fixed
		before := earlier.find(u)
		kept := discovery.Keep(s, before)
		f.pending = f.pending || before == nil && !fixed
		f.entries = append(f.entries, feedEntry{u, fixed, kept})
		sources = append(sources, kept)
	}
	f.Merged = discovery.Merge(sources...)
	return f, nil
}

func (f *feed) find(u config.Upstream) *discovery.Kept {
	if f == nil {
		return nil
	}
	for _, e := range f.entries {
		if reflect.DeepEqual(e.from, u) {
			return e.kept
		}
	}
	return nil
}

// begin gives the sources the findings of the previous process. It is called before they
// run.
func (f *feed) begin(found map[string][]discovery.Target) {
	for _, e := range f.entries {
		if !e.fixed {
			e.kept.Begin(found[e.from.Source()])
		}
	}
}

// found returns the last good set of each source that looks something up.
func (f *feed) found() map[string][]discovery.Target {
	all := map[string][]discovery.Target{}
	for _, e := range f.entries {
		if last := e.kept.Last(); !e.fixed && len(last) > 0 {
			all[e.from.Source()] = last
		}
	}
	return all
}

// sources returns the state of each source that looks something up.
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

// sourceCounts returns [Gate.sources] for the metrics.
func (g *Gate) sourceCounts(pool string) []metrics.Source {
	var list []metrics.Source
	for _, s := range g.sources(pool) {
		list = append(list, metrics.Source{Name: s.Name, Upstreams: s.Upstreams, LeftOut: len(s.LeftOut) + s.Omitted,
			Looked: s.Looked, Failing: !s.Failing.IsZero(), Failures: s.Failures})
	}
	return list
}

// entryOf returns the first entry that has found an address.
func (f *feed) entryOf(address string) (config.Upstream, bool) {
	for _, e := range f.entries {
		if slices.ContainsFunc(e.kept.Last(), func(t discovery.Target) bool { return t.Addr == address }) {
			return e.from, true
		}
	}
	return config.Upstream{}, false
}

// firstAnswers bounds the wait of a start or reload for the first answers of DNS and
// files.
const firstAnswers = time.Second

// awaitSources waits until the pools have their first upstreams, so that no request
// arrives earlier; connections wait in the kernel's queue meanwhile. Addresses in the
// configuration need no lookup, so the wait for them is unbounded. All other sources
// together get firstAnswers.
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
