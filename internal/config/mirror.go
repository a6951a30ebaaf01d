package config

import "slices"

// Mirror sends copies of a share of a route's requests to another pool.
type Mirror struct {
	Pool          string   `yaml:"pool" opt:"required,shorthand,public" example:"v2" help:"Name of the pool that receives the copies; clients never see its answers."`
	Share         Ratio    `yaml:"share" default:"100%" min:"0" max:"100%" help:"Share of the eligible requests to mirror."`
	Methods       []string `yaml:"methods" default:"[GET, HEAD]" format:"method" help:"Methods to mirror. With a method that changes data, such as POST, the mirror pool needs its own data: it executes the request as well."`
	MaxBody       Size     `yaml:"max_body" default:"64KiB" min:"0B" max:"1GiB" help:"Largest request body to mirror, at most retry.max_body of the route's pool."`
	Timeout       Duration `yaml:"timeout" default:"10s" min:"10ms" max:"10m" help:"Longest time for each mirrored request."`
	MaxConcurrent int      `yaml:"max_concurrent" default:"16" min:"1" max:"100000" help:"Concurrent mirrored requests; goodgate drops further ones."`
	MaxMemory     Size     `yaml:"max_memory" default:"16MiB" min:"64KiB" max:"16GiB" help:"Memory for mirrored requests; goodgate drops further ones."`
	Rate          int      `yaml:"rate" default:"0" min:"1" max:"10000000" zero:"no limit" help:"Mirrored requests per second; goodgate drops further ones."`
	Compare       []string `yaml:"compare_headers" default:"[Content-Type]" format:"header" help:"Headers of answers to compare, besides status and body. Operators see their values."`
}

// mirror reports an impossible mirror.
func (v *validator) mirror(path string, r Route) {
	m := r.Mirror
	if m == nil {
		return
	}
	at := path
	if v.at.given(path + ".pool") {
		at += ".pool"
	}
	switch {
	case len(r.Pools()) == 0:
		v.errorf(path, "applies to pool or split only: a redirect or a fixed response sends nothing upstream")
	case slices.Contains(r.Pools(), m.Pool):
		v.errorf(at, "found %q: the route sends its requests to this pool already: choose another", m.Pool)
	default:
		v.poolExists(at, m.Pool)
	}
}

// mirror warns of settings that are probably not meant.
func (a *advisor) mirror(path string, r Route) {
	m := r.Mirror
	if m.Share == 0 {
		a.warnf(path+".share", "0%%: goodgate mirrors nothing")
	}
	for i, method := range m.Methods {
		if !slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, method) {
			a.warnf(index(path+".methods", i), "pool %s executes each mirrored %s as well: make sure that it has its own data", m.Pool, method)
		}
	}
	for _, name := range r.Pools() {
		if p := a.config.Pools[name]; a.uses(path, "max_body") && m.MaxBody > p.Retry.MaxBody {
			a.warnf(path+".max_body", "%s is more than retry.max_body %s of pool %s: goodgate does not mirror larger bodies, because it does not keep them", m.MaxBody, p.Retry.MaxBody, name)
		}
	}
}
