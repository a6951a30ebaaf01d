package proxy

import "github.com/goodgate/goodgate/internal/stale"

// openStore makes the pool keep responses, if its options say so.
func (p *Pool) openStore(counts *stale.Counts) {
	p.counts = counts
	if o := p.opts.Stale; o.MaxSize > 0 {
		p.stale = stale.New(stale.Options{MaxSize: o.MaxSize, IfError: o.IfError, Hits: o.Hits, Counts: counts})
		p.flights = newFlights()
	}
}

// CacheSelection says which responses [Pool.Purge] drops. The zero value stands for all.
type CacheSelection = stale.Selection

// Purge drops responses that are kept, and returns of how many resources.
func (p *Pool) Purge(s CacheSelection) int {
	if p.stale == nil {
		return 0
	}
	return p.stale.Purge(s)
}

// CacheState is what a pool keeps of responses, and what that was good for since the start.
type CacheState struct {
	Hits                              bool  // fresh responses answer requests; else responses only replace errors
	Bytes, MaxSize                    int64 // that are kept, and may be
	Resources                         int
	Fresh, Stale, Revalidated, Missed int64 // requests by what answered them; Stale = within stale-while-revalidate
	IfError                           int64 // requests that got an older response in place of an error
	Coalesced                         int64 // of Fresh and Stale, those that waited for another request
	Stored, Evicted, Purged           int64
}

// Cache returns what the pool keeps; ok is false where it keeps nothing.
func (p *Pool) Cache() (s CacheState, ok bool) {
	if p.stale == nil {
		return CacheState{}, false
	}
	c := p.counts
	s = CacheState{
		Hits: p.opts.Stale.Hits, MaxSize: p.opts.Stale.MaxSize,
		Fresh: c.Hits.Load(), Stale: c.Stale.Load(), Revalidated: c.Revalidated.Load(), Missed: c.Misses.Load(), IfError: c.IfError.Load(),
		Coalesced: c.Coalesced.Load(), Stored: c.Stored.Load(), Evicted: c.Evicted.Load(), Purged: c.Purged.Load(),
	}
	s.Bytes, s.Resources = p.stale.Size(), p.stale.Len()
	return s, true
}
