package config

import (
	"net/netip"
	"slices"
	"strings"
)

// Split divides a route's requests between pools. The first is the one that the others are compared with.
type Split struct {
	Pools     []SplitPool   `yaml:"pools" opt:"required,shorthand" example:"[{pool: v1, weight: 95}, {pool: v2, weight: 5}]" help:"The pools and their weights; the first is what the others are compared with, and where all goes back to."`
	By        []string      `yaml:"by" opt:"single" default:"[cookie]" format:"splitkey" help:"What tells clients apart, so that each stays with its pool: cookie (one of goodgate's own, see cookie), client_ip or address, header:NAME, cookie:NAME, query:NAME, or request (each request for itself). Of several the first that a request has; if it has none, the first pool gets it."`
	Cookie    string        `yaml:"cookie" default:"goodgate_split" format:"token" help:"Name of goodgate's own cookie. It holds a random identity, not the pool."`
	CookieTTL Duration      `yaml:"cookie_ttl" default:"0s" min:"1m" max:"9600h" zero:"until the browser closes" help:"How long clients keep it."`
	Override  SplitOverride `yaml:"override" help:"How testers choose: by the name of a pool."`
	Spill     bool          `yaml:"spill" default:"false" help:"Send requests to another of the pools while the one chosen has no upstream available. Else they wait, and fail, there."`
	Schedule  []SplitStep   `yaml:"schedule" help:"Steps by which the shares change, one after the other."`
	Guard     Guard         `yaml:"guard" help:"When everything goes back to the first pool, until an operator says otherwise."`
}

// SplitPool is a pool of a split.
type SplitPool struct {
	Pool   string `yaml:"pool" opt:"required,public" example:"v2" help:"Name of the pool."`
	Weight int    `yaml:"weight" default:"1" min:"0" max:"10000" help:"Its part of the requests, beside the other weights; 0 gets none but testers."`
}

// SplitOverride is how clients choose their pool.
type SplitOverride struct {
	Header  string         `yaml:"header" default:"" format:"header" help:"A request header; from clients that may not choose, it is taken off."`
	Cookie  string         `yaml:"cookie" default:"" format:"token" help:"A cookie."`
	Clients []netip.Prefix `yaml:"clients" opt:"single" help:"Networks of the clients that may; everybody when absent."`
}

// SplitStep changes the share of a pool.
type SplitStep struct {
	After Duration `yaml:"after" opt:"required" min:"1s" max:"8760h" example:"10m" help:"Time since the step before, or since the split began."`
	Pool  string   `yaml:"pool" default:"" opt:"public" help:"The pool; the last of the split when absent."`
	Share Ratio    `yaml:"share" opt:"required" min:"0" max:"100%" example:"25%" help:"Its share of the requests. The others divide the rest as they did."`
}

// Guard says when a split goes back to its first pool alone.
type Guard struct {
	Enabled     bool     `yaml:"enabled" default:"false" help:"Go back to the first pool alone when another is surely worse. Without it the verdict is only shown."`
	Errors      Ratio    `yaml:"errors" default:"0.5%" min:"0" max:"100%" help:"Share of requests that may fail more than with the first pool: that end with a 5xx, or without a whole answer."`
	Latency     Ratio    `yaml:"latency" default:"25%" min:"0" max:"1000%" help:"How much longer answers may take than with the first pool, in the median and in the 95th percentile."`
	MinRequests int      `yaml:"min_requests" default:"100" min:"0" max:"1000000000" help:"Requests that a pool has to have answered since the step before, until schedule takes the next."`
	Grace       Duration `yaml:"grace" default:"10s" min:"1s" max:"1h" zero:"none" help:"How long after a change of the weights latency is not compared: caches are cold then, and code is not compiled. Errors count at once."`
}

// Pools returns the names of the pools that the route's requests may be sent to, but for fallbacks; empty when it
// answers by itself.
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

// split looks for a split that cannot be.
func (v *validator) split(path string, r Route) {
	s := r.Split
	if s == nil {
		return
	}
	at := path + ".pools"
	if len(s.Pools) == 1 {
		v.errorf(at, "has one pool: a split needs two at least; for one, write pool: %s", s.Pools[0].Pool)
	}
	for i, p := range s.Pools {
		if first := slices.IndexFunc(s.Pools, func(o SplitPool) bool { return o.Pool == p.Pool }); first < i && p.Pool != "" {
			v.errorf(index(at, i)+".pool", "found %q: %s is this pool already; give it the sum of the weights", p.Pool, index("pools", first))
			continue
		}
		v.poolExists(index(at, i)+".pool", p.Pool)
	}
	if len(s.Pools) > 1 && !slices.ContainsFunc(s.Pools, func(p SplitPool) bool { return p.Weight != 0 }) {
		v.errorf(at, "every weight is 0: no pool would get requests")
	}
	for i, by := range s.By {
		if last := len(s.By) - 1; by == "cookie" && i < last || by == "request" && last > 0 {
			v.errorf(index(path+".by", i), "found %q: every request has that, so it stands %s", by, map[string]string{"cookie": "last", "request": "alone"}[by])
		}
	}
	for i, step := range s.Schedule {
		if step.Pool != "" && len(s.Pools) > 0 && !slices.ContainsFunc(s.Pools, func(p SplitPool) bool { return p.Pool == step.Pool || p.Pool == "" }) {
			v.errorf(index(path+".schedule", i)+".pool", "found %q: the split has no such pool; it has %s", step.Pool, strings.Join(r.Pools(), ", "))
		}
	}
}

// split warns of what is probably not meant.
func (a *advisor) split(path string, r Route) {
	s := r.Split
	each := slices.Equal(s.By, []string{"request"})
	for i, p := range s.Pools {
		at := index(path+".pools", i)
		if p.Weight == 0 && i == 0 && len(s.Schedule) == 0 {
			a.warnf(at+".weight", "0 for the first pool: the others have nothing to be compared with")
		}
		if p.Weight == 0 && i > 0 && len(s.Schedule) == 0 && s.Override.Header == "" && s.Override.Cookie == "" {
			a.warnf(at+".weight", "0, and neither schedule nor override: %s gets no requests until an operator gives it a share", p.Pool)
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
