package metrics

import "github.com/goodgate/goodgate/proxy"

func cacheDesc(name, help string, labels ...string) *desc {
	return newDesc(namespace+"pool_cache_"+name, help, append([]string{"pool"}, labels...)...)
}

// Metrics of kept responses, only for pools that keep some. They are never changed.
var (
	cacheRequests  = cacheDesc("requests_total", "Requests that the cache could have answered, by the source of the answer; if_error: an older response in place of an error.", "by")
	cacheCoalesced = cacheDesc("coalesced_total", "Requests answered from the cache after waiting for another request to fetch the response.")
	cacheBytes     = cacheDesc("bytes", "Memory of cached responses.")
	cacheLimit     = cacheDesc("limit_bytes", "Limit of the memory for cached responses.")
	cacheResources = cacheDesc("resources", "URLs with a cached response.")
	cacheStored    = cacheDesc("stored_total", "Responses that were kept.")
	cacheEvicted   = cacheDesc("evicted_total", "URLs whose responses were evicted because memory was short.")
	cachePurged    = cacheDesc("purged_total", "URLs whose responses an operator purged.")
)

func collectCache(ch chan<- metric, p *proxy.Pool) {
	c, ok := p.Cache()
	if !ok {
		return
	}
	name := p.Name()
	if c.Hits {
		count(ch, cacheRequests, c.Fresh, name, "hit")
		count(ch, cacheRequests, c.Stale, name, "stale")
		count(ch, cacheRequests, c.Revalidated, name, "revalidated")
		count(ch, cacheRequests, c.Missed, name, "miss")
		count(ch, cacheCoalesced, c.Coalesced, name)
	}
	count(ch, cacheRequests, c.IfError, name, "if_error")
	gauge(ch, cacheBytes, int(c.Bytes), name)
	gauge(ch, cacheLimit, int(c.MaxSize), name)
	gauge(ch, cacheResources, c.Resources, name)
	count(ch, cacheStored, c.Stored, name)
	count(ch, cacheEvicted, c.Evicted, name)
	count(ch, cachePurged, c.Purged, name)
}
