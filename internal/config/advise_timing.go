package config

import (
	"net/netip"
	"strings"

	"github.com/goodgate/goodgate/internal/duration"
)

// retry warns of attempts that cannot help.
func (a *advisor) retry(path string, p Pool) {
	r := p.Retry
	if r.PerTry > 0 && p.Timeouts.Dial > r.PerTry && a.uses(path, "timeouts.dial") {
		a.warnf(path+".timeouts.dial", "%s is longer than retry.per_try %s, which ends the attempt first: make dial shorter",
			duration.Text(p.Timeouts.Dial), duration.Text(r.PerTry))
	}
	if r.Attempts > 1 && len(p.Upstreams) == 1 && isSingle(p.Upstreams[0]) && p.Hold.For == 0 {
		a.warnf(a.either(path, "retry.attempts", "hold.for"), "with one upstream, retries go to it again: that helps after a lost connection, not when the upstream is down; add an upstream, or set hold.for")
	}
	if r.Attempts == 1 {
		return
	}
	switch {
	case r.Statuses.overlaps(400, 499):
		a.warnf(path+".retry.statuses", "a 4xx is about the request, and another upstream gives the same answer: remove it")
	case r.Statuses.overlaps(500, 500):
		a.warnf(path+".retry.statuses", "a 500 often comes from a bug that every upstream has, or after the application began the work: remove it unless the application answers 500 for temporary failures")
	}
}

// isSingle reports whether an entry stands for one address; a name may have several.
func isSingle(u Upstream) bool {
	_, err := netip.ParseAddrPort(upstreamAddress(u.URL))
	return err == nil || strings.HasPrefix(u.URL, unixPrefix)
}

// requestTimeout warns of waits in a pool that the timeout of a whole request, given at the path at, makes pointless.
// It ignores waits that the file leaves at their defaults.
func (a *advisor) requestTimeout(at, name string, request Duration) {
	if request == 0 {
		return
	}
	pool, p := "pools."+name, a.config.Pools[name]
	total := Duration(p.Retry.Attempts) * p.Retry.PerTry
	switch {
	case p.Retry.PerTry >= request:
		a.warnf(pool+".retry.per_try", "%s is not shorter than %s %s: the first attempt can use all of that time; make per_try shorter",
			duration.Text(p.Retry.PerTry), at, duration.Text(request))
	case total > request && p.Retry.Attempts > 1:
		a.warnf(pool+".retry.per_try", "%d attempts of %s take longer than %s %s, which cuts the last ones short: use %s or less",
			p.Retry.Attempts, duration.Text(p.Retry.PerTry), at, duration.Text(request), duration.Text(request/Duration(p.Retry.Attempts)))
	}
	if p.Timeouts.ResponseHeader >= request && a.uses(pool, "timeouts.response_header") {
		a.warnf(pool+".timeouts.response_header", "%s is not shorter than %s %s, which ends the request first: make response_header shorter, or leave it out",
			duration.Text(p.Timeouts.ResponseHeader), at, duration.Text(request))
	}
	if p.Hold.For >= request && a.uses(pool, "hold.for") {
		a.warnf(pool+".hold.for", "%s is not shorter than %s %s: a request that waited has no time left for its response; make hold.for shorter",
			duration.Text(p.Hold.For), at, duration.Text(request))
	}
	if grace := a.config.Shutdown.Grace; grace < request {
		a.warnf(a.either("", "shutdown.grace", at), "shutdown.grace %s is shorter than %s %s: a shutdown cuts off requests that need longer; make shutdown.grace longer",
			duration.Text(grace), at, duration.Text(request))
	}
}
