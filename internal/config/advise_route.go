package config

import (
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/vars"
)

// route warns of a route that cannot match, and of settings without effect on it.
func (a *advisor) route(i int, r Route) {
	path := index("routes", i)
	for j, earlier := range a.config.Routes[:i] {
		if earlier.Match.covers(r.Match) {
			a.warnf(path, "never matches: %s (%s) comes first and matches all its requests; put the narrower route first", index("routes", j), earlier.Name)
			break
		}
		if everyPath := earlier.Match; everyPath.Path == "/*" && r.Match.Path == "" {
			if everyPath.Path = ""; everyPath.covers(r.Match) {
				a.warnf(path, "gets only OPTIONS *: %s (%s) comes first and matches every path; put the narrower route first", index("routes", j), earlier.Name)
				break
			}
		}
	}
	a.conditions(path+".match", r.Match)
	a.routeDollars(path, r)
	if r.RewritePath != nil {
		a.rewriteGroups(path+".rewrite_path.to", *r.RewritePath)
	}
	a.access(i, path, r)
	a.faults(path, r, time.Now())
	a.respondVariables(path+".respond", r.Respond, vars.Arrival)
	if r.Fallback != nil && a.at.given(path+".fallback") {
		a.respondVariables(path+".fallback.respond", r.Fallback.Respond, vars.Answer)
	}
	a.routeCache(path+".cache", r)
	if len(r.Pools()) == 0 {
		a.poolless(path, r)
		return
	}
	if r.Split != nil {
		a.split(path+".split", r)
	}
	if r.Mirror != nil {
		a.mirror(path+".mirror", r)
	}
	if r.StripPrefix != "" && r.Match.Path != "" && !underPrefix(r.StripPrefix, r.Match.Path) {
		a.warnf(path+".strip_prefix", "match.path %s also matches paths that are not below %s, which goodgate does not change: make match.path and strip_prefix agree", r.Match.Path, r.StripPrefix)
	}
	if r.Rewrites.RestorePrefix && r.StripPrefix == "" && r.AddPrefix == "" {
		a.warnf(path+".response_rewrites.restore_prefix", "has no effect without strip_prefix or add_prefix")
	}
	if r.ClientCert != "off" && !slices.ContainsFunc(a.config.Listeners, func(l Listener) bool { return l.TLS != nil && l.TLS.ClientCA != "" && a.config.takes(r.Match, l) }) {
		a.warnf(path+".client_cert", "has no effect: no listener of this route asks clients for certificates (tls.client_ca)")
	}
	if a.uses(path, "timeout") {
		for _, pool := range r.Pools() {
			a.requestTimeout(path+".timeout", pool, r.Timeout)
		}
	}
}

func underPrefix(prefix, matchPath string) bool {
	rest, ok := strings.CutPrefix(matchPath, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// poolless warns of settings that only affect requests to a pool.
func (a *advisor) poolless(path string, r Route) {
	kind := "redirect"
	if r.Respond != nil {
		kind = "respond"
	}
	for _, key := range []string{"request_headers", "strip_prefix", "add_prefix", "rewrite_path", "request_query", "response_rules", "response_rewrites", "host", "timeout", "retry_safe", "idempotency_key", "intercept", "compress", "client_cert"} {
		if a.uses(path, key) {
			a.warnf(join(path, key), "has no effect on a route with %s: it sends nothing upstream", kind)
		}
	}
}
