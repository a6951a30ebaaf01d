package convert

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// wholeURL matches a proxy_cache_key with which two URLs never share a response.
var wholeURL = regexp.MustCompile(`^(?:\$scheme|\$request_method|\$proxy_host|\$host|\$http_host|[-_:|./ ])*\$request_uri$`)

// cached converts proxy_cache, if nginx caches no response that goodgate would not, and
// has an equivalent key.
func (n *nginx) cached(p *place, r *route) {
	d := p.one("proxy_cache")
	if d.Name == "" || d.Arg(0) == "off" || strings.Contains(d.Arg(0), "$") {
		return // it is noted
	}
	if len(p.any("proxy_no_cache")) > 0 || len(p.any("proxy_cache_bypass")) > 0 || len(p.any("proxy_ignore_headers")) > 0 || len(p.any("proxy_cache_methods")) > 0 {
		return
	}
	if key := p.one("proxy_cache_key"); key.Name != "" && !wholeURL.MatchString(strings.Join(key.Args, " ")) {
		return
	}
	age, ok := n.fresh(p.any("proxy_cache_valid"))
	if !ok {
		return
	}
	r.cache = "true"
	if age > 0 {
		r.cache = "{default_age: " + age.String() + "}"
	}
	for _, pool := range n.file.pools {
		if pool.name == r.pool || slices.Contains(r.pools, pool.name) {
			pool.cached = true
		}
	}
	n.use(d, p.one("proxy_cache_key"))
	n.use(p.any("proxy_cache_valid")...)
	for _, name := range []string{"proxy_cache_lock", "proxy_cache_lock_timeout", "proxy_cache_lock_age", "proxy_cache_revalidate"} {
		n.use(p.one(name)) // goodgate always does this
	}
	for _, zone := range named(n.http, "proxy_cache_path") {
		if slices.ContainsFunc(zone.Args, func(s string) bool { return strings.HasPrefix(s, "keys_zone="+d.Arg(0)+":") }) {
			n.use(zone)
		}
	}
	n.stale(p, r, d.Arg(0))
	n.note(d.At(), d.Name, "the cache is in memory: 64 MiB for the pool, and bodies up to commit.buffer (see cache.max_size)")
}

// stale converts proxy_cache_use_stale: a response past its freshness answers instead
// of an error.
func (n *nginx) stale(p *place, r *route, zone string) {
	d := p.one("proxy_cache_use_stale")
	if !slices.ContainsFunc(d.Args, func(word string) bool {
		return word == "error" || word == "timeout" || strings.HasPrefix(word, "http_5")
	}) {
		return // it is noted
	}
	kept := 10 * time.Minute // nginx's default
	for _, path := range named(n.http, "proxy_cache_path") {
		for _, a := range path.Args {
			text, ok := strings.CutPrefix(a, "inactive=")
			if span, isSpan := nginxconf.Duration(text); ok && isSpan && span >= time.Second && slices.ContainsFunc(path.Args, func(s string) bool { return strings.HasPrefix(s, "keys_zone="+zone+":") }) {
				kept = min(span, 8760*time.Hour)
			}
		}
	}
	for _, pool := range n.file.pools {
		if pool.name == r.pool || slices.Contains(r.pools, pool.name) {
			pool.stale = "max_size: 64MiB, if_error: " + kept.String()
		}
	}
	n.use(d)
	if slices.Contains(d.Args, "updating") {
		n.note(d.At(), d.Name, "(updating) goodgate does this only for responses with stale-while-revalidate")
	}
}

// fresh returns how long nginx caches responses that do not say it themselves. goodgate
// has one time for 200 and 404; it is 0 unless nginx caches both.
func (n *nginx) fresh(list []*nginxconf.Directive) (age time.Duration, ok bool) {
	times := map[string]time.Duration{}
	for _, d := range list {
		span, ok := nginxconf.Duration(lastArg(d))
		if !ok || len(d.Args) == 0 || span < 0 {
			return 0, false
		}
		statuses := d.Args[:len(d.Args)-1]
		if len(statuses) == 0 {
			statuses = []string{"200", "301", "302"}
		}
		for _, status := range statuses {
			if _, set := times[status]; !set {
				times[status] = span
			}
		}
	}
	of := func(status string) time.Duration {
		if t, set := times[status]; set {
			return t
		}
		return times["any"]
	}
	if age = min(of("200"), of("404"), 8760*time.Hour); age < time.Second {
		age = 0
	}
	if (age != of("200") || age != of("404") || len(times) > 2) && len(list) > 0 {
		n.note(list[0].At(), list[0].Name, "cache.default_age is %s, for 200 and 404 alike. Responses with another status are cached only if their headers say for how long", age)
	}
	return age, true
}
