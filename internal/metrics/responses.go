package metrics

import "github.com/goodgate/goodgate/proxy"

func cacheDesc(name, help string, labels ...string) *desc {
	return newDesc(namespace+"pool_cache_"+name, help, append([]string{"pool"}, labels...)...)
}

// What pools keep of responses, only of those that do. Never changed.
var (
	cacheRequests  = cacheDesc("requests_total", "Requests that could be answered from the cache, by what answered them; if_error: an older response in place of an error.", "by")
	cacheCoalesced = cacheDesc("coalesced_total", "Requests answered from the cache that waited for another one to fetch the response.")
	cacheBytes     = cacheDesc("bytes", "Memory that kept responses take.")
	cacheLimit     = cacheDesc("limit_bytes", "Memory that kept responses may take.")
	cacheResources = cacheDesc("resources", "URLs of which a response is kept.")
	cacheStored    = cacheDesc("stored_total", "Responses that were kept.")
	cacheEvicted   = cacheDesc("evicted_total", "URLs whose responses were dropped for want of memory.")
	cachePurged    = cacheDesc("purged_total", "URLs whose responses an operator has purged.")
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
