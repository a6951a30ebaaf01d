package proxy

import "github.com/goodgate/goodgate/internal/stale"

// openStore creates the store of kept responses, if the options enable it.
func (p *Pool) openStore(counts *stale.Counts) {
	p.counts = counts
	if o := p.opts.Stale; o.MaxSize > 0 {
		p.stale = stale.New(stale.Options{MaxSize: o.MaxSize, IfError: o.IfError, Hits: o.Hits, Counts: counts})
		p.flights = newFlights()
	}
}

// CacheSelection selects the responses that [Pool.Purge] drops. The zero value selects
// all.
type CacheSelection = stale.Selection

// Purge drops kept responses. It returns the number of resources that had any.
func (p *Pool) Purge(s CacheSelection) int {
	if p.stale == nil {
		return 0
	}
	return p.stale.Purge(s)
}

// CacheState is the state of a pool's kept responses, with counts since the start.
type CacheState struct {
	Hits                              bool  // the cache is on: fresh responses answer requests; otherwise kept responses only replace errors
	Bytes, MaxSize                    int64 // used, and the limit
	Resources                         int
	Fresh, Stale, Revalidated, Missed int64 // requests by the source of their answer; Stale = a stale response, while the proxy fetches a new one (stale-while-revalidate)
	IfError                           int64 // requests that got an older response instead of an error
	Coalesced                         int64 // requests in Fresh and Stale that waited for another request to fetch the response
	Stored, Evicted, Purged           int64
}

// Cache returns the state of the pool's kept responses. ok is false if it keeps none.
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
