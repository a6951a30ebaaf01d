package config

import (
	"strings"
	"testing"
)

// TestMisplacedKeys: a key that exists elsewhere leads to the nearest place that has it: below its mapping, in a section
// of the same name, around it, and then in a listener, a route, a pool or the top level.
func TestMisplacedKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ place, text, want string }{
		// At the top level.
		{"", "retry: {attempts: 2}", "retry: unknown key (did you mean pools.NAME.retry, or defaults.retry for all pools?)"},
		{"", "hold: {for: 1s}", "hold: unknown key (did you mean pools.NAME.hold, or defaults.hold for all pools?)"},
		{"", "cache: true", "cache: unknown key (did you mean routes[N].cache, pools.NAME.cache, or defaults.cache for all pools?)"},
		{"", "rise: 2", "rise: unknown key (did you mean pools.NAME.health.rise, or defaults.health.rise for all pools?)"},
		{"", "statuses: 502", "statuses: unknown key (did you mean pools.NAME.breaker.statuses or pools.NAME.retry.statuses?)"},
		{"", "targets: []", "targets: unknown key (did you mean pools.NAME.upstreams?)"},
		{"", "compress: true", "compress: unknown key (did you mean routes[N].compress?)"},
		{"", "level: debug", "level: unknown key (did you mean log.level?)"},
		{"", "defaults: {retries: 3}", "defaults.retries: unknown key (did you mean retry.attempts?)"},
		{"", "defaults: {breaker: {rise: 2}}", "defaults.breaker.rise: unknown key (did you mean defaults.health.rise?)"},
		{"", "enabled: true", "enabled: unknown key; known here: listeners,"},
		// Below, in the same section elsewhere, and around.
		{inRoute, "host_regexp: x", "host_regexp: unknown key (did you mean match.host_regexp?)"},
		{inRoute, "realm: x", "realm: unknown key (did you mean access.basic.realm?)"},
		{inRoute, "limits: {requests: 5}", "requests: unknown key (did you mean rates[N].requests?)"},
		{inListener, "tls: {hosts: [a]}", "hosts: unknown key (did you mean acme.hosts?)"},
		{inPool, "cache: {max_age: 1h}", "max_age: unknown key (did you mean routes[N].cache.max_age?)"},
		{inRoute, "cache: {wait: 1s}", "wait: unknown key (did you mean pools.NAME.cache.wait?)"},
		{inPool, "tls: {certificates: []}", "certificates: unknown key (did you mean listeners[N].tls.certificates?)"},
		{inPool, "breaker: {rise: 2}", "rise: unknown key (did you mean pools.app.health.rise?)"},
		{inRoute, "match: {strip_prefix: /x}", "strip_prefix: unknown key (did you mean routes[0].strip_prefix?)"},
		{inRoute, "limits: {rates: [{requests: 5, max_body: 1MiB}]}", "max_body: unknown key (did you mean routes[0].limits.max_body?)"},
		{inRoute, "access: {basic: {file: f, slow_start: 1s}}", "slow_start: unknown key (did you mean pools.NAME.slow_start?)"},
		{inListener, "trusted_proxies: []", "trusted_proxies: unknown key (did you mean trusted_proxies at the top level?)"},
		// Far away in another section: no suggestion is better than a wrong one.
		{inRoute, "limits: {rates: [{rate: 5}]}", "rate: unknown key (did you mean requests?)"},
		{inRoute, "limits: {rates: [{requests: 5, exponent: 5}]}", "exponent: unknown key; known here: name, on,"},
		{inPool, "hash: {name: x}", "name: unknown key; known here: on, load"},
		{inRoute, "rewrite_path: {regexp: a, to: /b, key: x}", "key: unknown key; known here: regexp, to"},
		{"", "zone: {peers: [{zone: a, count: 1, hsts: x}]}", "hsts: unknown key; known here: zone, count"},
		{inPool, "timeouts: {kid: x}", "kid: unknown key; known here: dial,"},
		// Misspelt as well, or in another style.
		{"", "helth: {}", "helth: unknown key (did you mean pools.NAME.health, or defaults.health for all pools?)"},
		{inPool, "weigth: 2", "weigth: unknown key (did you mean upstreams[N].weight?)"},
		{inPool, "stripPrefix: /a", "stripPrefix: unknown key (did you mean routes[N].strip_prefix?)"},
		// A header in place of the changes to headers.
		{inRoute, "request_headers: {X-Team: shop}", "X-Team: unknown key (did you mean set: {X-Team: VALUE}?)"},
		{inRoute, "response_headers: {location: /}", "location: unknown key (did you mean set: {location: VALUE}?)"},
	} {
		_, _, err := Parse("x", []byte(strings.Replace(around[c.place], "WORD: x", c.text, 1)), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s in %q\ngot %v\nwant %s", c.text, c.place, err, c.want)
		}
	}
}
