package config

import (
	"net/netip"
	"slices"
	"strings"
)

// Split divides a route's requests between pools. The others are compared with the first.
type Split struct {
	Pools     []SplitPool   `yaml:"pools" opt:"required,shorthand" example:"[{pool: v1, weight: 95}, {pool: v2, weight: 5}]" help:"The pools and their weights. The first is the stable one: goodgate compares the others with it, and sends requests back to it."`
	By        []string      `yaml:"by" opt:"single" default:"[cookie]" format:"splitkey" help:"What identifies a client, so that it keeps its pool: cookie (goodgate's own), client_ip (or address, its other name), header:NAME, cookie:NAME, query:NAME, a text with variables such as {tls.client.subject}, or request (each request alone). In a list, goodgate uses the first one that the request has. A request without any goes to the first pool."`
	Cookie    string        `yaml:"cookie" default:"goodgate_split" format:"token" help:"Name of goodgate's own cookie. It holds a random identity, not the pool."`
	CookieTTL Duration      `yaml:"cookie_ttl" default:"0s" min:"1m" max:"9600h" zero:"until the browser closes" help:"Lifetime of the cookie."`
	Override  SplitOverride `yaml:"override" help:"Lets testers choose a pool by its name."`
	Spill     bool          `yaml:"spill" default:"false" help:"Send requests to another of the pools while the chosen one has no available upstream. Otherwise they wait, and fail, in the chosen pool."`
	Schedule  []SplitStep   `yaml:"schedule" help:"Steps that change the shares, one after the other."`
	Guard     Guard         `yaml:"guard" help:"Conditions that send all requests back to the first pool, until an operator changes that."`
}

// SplitPool is a pool of a split.
type SplitPool struct {
	Pool   string `yaml:"pool" opt:"required,public" example:"v2" help:"Name of the pool."`
	Weight int    `yaml:"weight" default:"1" min:"0" max:"10000" help:"Share of the requests, relative to the other weights; a pool with 0 gets testers only."`
}

// SplitOverride lets clients choose their pool.
type SplitOverride struct {
	Header  string         `yaml:"header" default:"" format:"header" example:"X-Version" help:"Request header with the pool's name; goodgate removes it from clients that may not choose."`
	Cookie  string         `yaml:"cookie" default:"" format:"token" example:"version" help:"Cookie with the pool's name."`
	Clients []netip.Prefix `yaml:"clients" opt:"single" help:"Networks of clients that may choose; all when absent."`
}

// SplitStep changes the share of a pool.
type SplitStep struct {
	After Duration `yaml:"after" opt:"required" min:"1s" max:"8760h" example:"10m" help:"Time since the previous step, or since the start of the split."`
	Pool  string   `yaml:"pool" default:"" opt:"public" example:"v2" help:"Name of the pool; the last of the split when absent."`
	Share Ratio    `yaml:"share" opt:"required" min:"0" max:"100%" example:"25%" help:"Share of the requests for the pool. The others divide the rest in their previous proportion."`
}

// Guard configures when a split returns to its first pool alone.
type Guard struct {
	Enabled     bool     `yaml:"enabled" default:"false" help:"Send all requests back to the first pool when another one is worse with statistical certainty. Without it, goodgate only shows the verdict."`
	Errors      Ratio    `yaml:"errors" default:"0.5%" min:"0" max:"100%" help:"Share of requests that may fail in addition to the first pool's: a 5xx, or no complete answer."`
	Latency     Ratio    `yaml:"latency" default:"25%" min:"0" max:"1000%" help:"How much longer answers may take than with the first pool, in the median and in the 95th percentile."`
	MinRequests int      `yaml:"min_requests" default:"100" min:"0" max:"1000000000" help:"Requests that a pool must answer in a step of the schedule before the next step."`
	Grace       Duration `yaml:"grace" default:"10s" min:"1s" max:"1h" zero:"none" help:"How long goodgate ignores latency after a change of the weights, while caches are cold. Errors count at once."`
}

// Pools returns the names of the pools that may get the route's requests, without fallbacks; empty if the route answers
// itself.
func (r Route) Pools() (names []string) {
	if r.Pool != "" {
		return []string{r.Pool}
	}
	if r.Split != nil {
		for _, p := range r.Split.Pools {
			names = append(names, p.Pool)
		}
	}
	return names
}

// split reports an impossible split.
func (v *validator) split(path string, r Route) {
	s := r.Split
	if s == nil {
		return
	}
	at := path + ".pools"
	if len(s.Pools) == 1 {
		v.errorf(at, "has one pool: a split needs at least two; for one, write pool: %s", s.Pools[0].Pool)
	}
	for i, p := range s.Pools {
		if first := slices.IndexFunc(s.Pools, func(o SplitPool) bool { return o.Pool == p.Pool }); first < i && p.Pool != "" {
			v.errorf(index(at, i)+".pool", "found %q: %s has this pool already: give it the sum of the weights", p.Pool, index("pools", first))
			continue
		}
		v.poolExists(index(at, i)+".pool", p.Pool)
	}
	refused := slices.ContainsFunc(v.errs, func(e Error) bool { return strings.HasPrefix(e.Path, at) }) // such a weight is 0 here
	if len(s.Pools) > 1 && !refused && !slices.ContainsFunc(s.Pools, func(p SplitPool) bool { return p.Weight != 0 }) {
		v.errorf(at, "every weight is 0: no pool would get requests")
	}
	for i, by := range s.By {
		if last := len(s.By) - 1; by == "cookie" && i < last || by == "request" && last > 0 {
			v.errorf(index(path+".by", i), "found %q: it applies to every request, so it must %s", by, map[string]string{"cookie": "come last", "request": "be the only entry"}[by])
		}
	}
	for i, step := range s.Schedule {
		if step.Pool != "" && len(s.Pools) > 0 && !slices.ContainsFunc(s.Pools, func(p SplitPool) bool { return p.Pool == step.Pool || p.Pool == "" }) {
			v.errorf(index(path+".schedule", i)+".pool", "found %q: the split has no such pool; it has %s", step.Pool, strings.Join(r.Pools(), ", "))
		}
	}
}

// split warns of settings that are probably not meant.
func (a *advisor) split(path string, r Route) {
	s := r.Split
	each := slices.Equal(s.By, []string{"request"})
	for i, p := range s.Pools {
		at := index(path+".pools", i)
		if p.Weight == 0 && i == 0 && len(s.Schedule) == 0 {
			a.warnf(at+".weight", "0 for the first pool: the guard compares the other pools with it")
		}
		if p.Weight == 0 && i > 0 && len(s.Schedule) == 0 && s.Override.Header == "" && s.Override.Cookie == "" {
			a.warnf(at+".weight", "0, without a schedule or an override: pool %s gets no requests until an operator gives it a share", p.Pool)
		}
		pool := a.config.Pools[p.Pool]
		if pool.Policy == "sticky" && each {
			a.warnf(path+".by", "pool %s keeps clients on their upstream (policy sticky), but each request chooses its pool anew: use by: cookie", p.Pool)
		}
		if fallback := r.Fallback; fallback != nil && fallback.Pool == p.Pool && len(s.Pools) == 2 {
			a.warnf(path, "the route's fallback is pool %s of the split: clients of the other pool get both versions when requests fail; requests of %s itself have no fallback", p.Pool, p.Pool)
		}
	}
	if s.Spill && s.Guard.Enabled && s.Pools[0].Weight == 0 {
		a.warnf(path+".spill", "has no effect while the first pool has weight 0: requests spill to pools with a weight")
	}
	if a.uses(path, "cookie") && !slices.Contains(s.By, "cookie") {
		a.warnf(path+".cookie", "has no effect with by: %s; use by: cookie", strings.Join(s.By, ", "))
	}
	if a.uses(path, "override.clients") && s.Override.Header == "" && s.Override.Cookie == "" {
		a.warnf(path+".override.clients", "has no effect without override.header or override.cookie")
	}
	share := Ratio(-1)
	for i, step := range s.Schedule {
		if step.Share == share {
			a.warnf(index(path+".schedule", i)+".share", "%s, as in the step before: this step changes nothing", step.Share)
		}
		share = step.Share
	}
}
