package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/duration"
	"github.com/goodgate/goodgate/internal/vars"
)

// advisor searches a configuration without errors for settings that contradict each other.
type advisor struct {
	config *Config
	at     positions
	found  Errors
}

func (a *advisor) warnf(path, format string, args ...any) {
	p := a.at.of(path)
	a.found = append(a.found, Error{Line: p.line, Column: p.column, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (a *advisor) sorted(t *texts) []Warning {
	var warnings []Warning
	for _, e := range t.locate(a.found.Sorted()) {
		warnings = append(warnings, Warning(e))
	}
	return warnings
}

// uses reports whether the file gives the key below path. A default of all pools does not count for a single pool.
func (a *advisor) uses(path, key string) bool { return a.at.own(join(path, key)) }

func (a *advisor) advise() {
	if headers := strings.Join(a.config.TrustedHeaders, ", "); headers != "" {
		a.everybody("trusted_proxies", a.config.TrustedProxies, "forge "+headers)
	}
	for i, l := range a.config.Listeners {
		a.listener(index("listeners", i), l)
	}
	a.log(a.config.Log)
	if t := a.config.Tracing; strings.HasPrefix(t.Endpoint, "http:") {
		a.uselessTLS("tracing", t.TLS, "an http endpoint")
	}
	if m := a.config.Metrics; strings.HasPrefix(m.Endpoint, "http:") {
		a.uselessTLS("metrics", m.TLS, "an http endpoint")
	}
	used := map[string]bool{}
	for i, r := range a.config.Routes {
		for _, name := range r.leadsToPools() {
			used[name] = true
		}
		if r.Mirror != nil {
			used[r.Mirror.Pool] = true
		}
		if a.at.given("routes") {
			a.route(i, r)
		}
	}
	for _, p := range a.config.Pools {
		used[p.Health.From] = true
	}
	for _, name := range slices.Sorted(maps.Keys(a.config.Pools)) {
		path, p := "pools."+name, a.config.Pools[name]
		if !used[name] {
			a.warnf(path, "no route uses this pool: it only gets health checks")
		}
		if p.Fallback != nil {
			a.respondVariables(path+".fallback.respond", p.Fallback.Respond, vars.Answer)
		}
		a.policy(path, p)
		a.upstreams(path, p)
		if p.Health.From != "" {
			a.healthFrom(name, p)
		} else {
			a.health(path+".health", p.Health)
		}
		a.breaker(path+".breaker", p.Breaker)
		a.retry(path, p)
		a.stale(path, p)
		a.requestTimeout(path+".timeouts.request", name, p.Timeouts.Request)
	}
	a.dropped()
}

// uselessTLS warns of settings for a destination without TLS.
func (a *advisor) uselessTLS(path string, t TLS, destination string) {
	if key, ok := a.at.givenAny(path, "tls.ca", "tls.cert", "tls.server_name", "tls.insecure", "tls.pins", "tls.key"); ok && !t.unset() {
		a.warnf(join(path, key), "has no effect on %s: it has no TLS", destination)
	}
}

func (a *advisor) listener(path string, l Listener) {
	if network, _ := l.Network(); network == "tcp" && a.uses(path, "mode") {
		a.warnf(path+".mode", "has no effect on a TCP address: it is for Unix sockets")
	}
	a.everybody(path+".proxy_protocol", l.Proxied, "claim any address in a PROXY header")
	if l.Timeouts.Keepalive < time.Minute {
		a.warnf(path+".timeouts.keepalive", "%s is shorter than 60s, the time for which nginx and other proxies keep idle connections: they may send requests on connections that goodgate is closing; use 75s",
			duration.Text(l.Timeouts.Keepalive))
	}
}

func (a *advisor) policy(path string, p Pool) {
	if key, ok := a.at.ownAny(path+".hash", "on", "load"); ok && p.Policy != "hash" {
		a.warnf(path+".hash."+key, "has no effect with policy %s: set policy: hash, or leave hash out", p.Policy)
	}
	if key, ok := a.at.ownAny(path+".sticky", "cookie", "secret", "ttl", "secure", "same_site", "domain", "path", "partitioned"); ok && p.Policy != "sticky" {
		a.warnf(path+".sticky."+key, "has no effect with policy %s: set policy: sticky, or leave sticky out", p.Policy)
	}
	if p.Policy == "sticky" && p.Sticky.Secret == "" {
		a.warnf(path+".sticky.secret", "not set: goodgate cannot read its cookies after a restart, or on another instance; set at least 16 random bytes")
	}
}

func (a *advisor) upstreams(path string, p Pool) {
	https := false
	for i, u := range p.Upstreams {
		at := index(path+".upstreams", i)
		https = https || strings.HasPrefix(u.URL, "https://") || !u.hasScheme() && u.Scheme == "https" || u.File != "" || u.HTTP != nil || u.Etcd != nil
		if key, ok := a.at.ownAny(at, "weight", "tier", "max_in_flight"); ok && u.File != "" {
			a.warnf(join(at, key), "has no effect with file: set it for the upstreams in the file")
		}
	}
	if key, ok := a.at.ownAny(path+".tls", "ca", "server_name", "insecure"); ok && !https {
		a.warnf(path+".tls."+key, "has no effect: no upstream of the pool is https")
	}
	switch {
	case p.TLS.Insecure && p.TLS.CA != "":
		a.warnf(path+".tls.insecure", "insecure accepts every certificate, so ca has no effect: remove insecure")
	case p.TLS.Insecure:
		a.warnf(path+".tls.insecure", "insecure accepts every certificate, even an attacker's: set ca to the authority of the upstreams instead")
	}
}

func (a *advisor) health(path string, h Health) {
	httpOnly := []string{"path", "method", "host", "headers", "expect.status", "expect.headers", "expect.header_regexp", "expect.body", "expect.body_regexp", "expect.json", "drain_status"}
	checking := []string{"interval", "timeout", "fast_interval", "rise", "fall", "jitter", "retries"}
	if key, ok := a.at.ownAny(path, httpOnly...); ok && h.Type != "http" {
		a.warnf(join(path, key), "has no effect with type %s: it is for type http", h.Type)
	}
	if key, ok := a.at.givenAny(path, "port", "scheme"); ok && (h.Type == "alive" || h.Type == "none") {
		a.warnf(join(path, key), "has no effect with type %s: it is for types http, grpc and tcp", h.Type)
	}
	if a.uses(path, "steps") && h.Type != "tcp" {
		a.warnf(path+".steps", "has no effect with type %s: it is for type tcp", h.Type)
	}
	if a.uses(path, "expect.max_body") && h.Type != "http" && h.Type != "tcp" {
		a.warnf(path+".expect.max_body", "has no effect with type %s: it is for types http and tcp", h.Type)
	}
	if a.uses(path, "service") && h.Type != "grpc" {
		a.warnf(path+".service", "has no effect with type %s: it is for type grpc", h.Type)
	}
	if h.Type == "none" {
		if key, ok := a.at.ownAny(path, checking...); ok {
			a.warnf(join(path, key), "has no effect with type none")
		}
		return
	}
	if h.Timeout > h.Interval {
		a.warnf(a.either(path, "timeout", "interval"), "timeout %s is longer than interval %s: a check that hangs delays the next; make timeout at most the interval",
			duration.Text(h.Timeout), duration.Text(h.Interval))
	}
	if h.FastInterval > h.Interval && a.at.given(path+".fast_interval") {
		a.warnf(a.either(path, "fast_interval", "interval"), "fast_interval %s is longer than interval %s: goodgate uses the interval instead; make fast_interval shorter",
			duration.Text(h.FastInterval), duration.Text(h.Interval))
	}
	if h.Type == "http" && h.Method == "HEAD" && h.Expect.Body != "" {
		a.warnf(path+".expect.body", "the answer to method HEAD has no body: every check will fail; use method: GET")
	}
}

// either returns the path of the first of two keys that the file gives.
func (a *advisor) either(path, first, second string) string {
	if !a.uses(path, first) && a.uses(path, second) {
		return join(path, second)
	}
	return join(path, first)
}

func (a *advisor) breaker(path string, b Breaker) {
	if b.Window < time.Second {
		a.warnf(path+".window", "%s is too short to count enough requests: use 1s or more", duration.Text(b.Window))
	}
	if b.MaxEjected >= 1 {
		a.warnf(path+".max_ejected", "breakers may eject all upstreams but one, which then gets all requests: use about 50%%")
	}
	if !b.Enabled {
		return
	}
	if b.Consecutive == 0 && b.FailureRatio == 0 {
		a.warnf(path, "without consecutive and failure_ratio the breaker never opens: set one of them, or enabled: false")
	}
}

// stale warns if nothing would be kept.
func (a *advisor) stale(path string, p Pool) {
	switch {
	case p.Stale.MaxSize == 0 && p.Stale.IfError > 0 && !p.Cache.Enabled:
		a.warnf(path+".stale.if_error", "has no effect without stale.max_size: nothing is kept")
	case p.Stale.MaxSize > 0 && p.Commit.Buffer == 0:
		a.warnf(path+".stale.max_size", "has no effect with commit.buffer 0B: only responses that fit commit.buffer are kept")
	case p.Cache.Enabled && p.Commit.Buffer == 0:
		a.warnf(path+".cache", "has no effect with commit.buffer 0B: only responses that fit commit.buffer are kept")
	}
}
