package config

// routeCache warns if a route configures a cache that its pools do not have.
func (a *advisor) routeCache(path string, r Route) {
	if r.Cache == nil {
		return
	}
	for _, name := range r.Pools() {
		if !a.config.Pools[name].Cache.Enabled {
			a.warnf(path, "has no effect for pool %s, which has no cache: set pools.%s.cache.enabled", name, name)
		}
	}
	if len(r.Pools()) == 0 {
		a.warnf(path, "has no effect on a route without a pool")
	}
}
