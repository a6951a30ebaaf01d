// Package convert writes a goodgate configuration that does what another
// proxy's does: [Nginx], [HAProxy], [Caddyfile], [Caddy], [Traefik].
//
// What has no equivalent becomes a [Note] with its place, never a silent loss. What
// restricts access, limits or hides something and cannot be said is in
// [Result.Refused], and the configuration must not be used then. goodgate's
// protections (health checks, retries, holding requests) stay on with their defaults,
// as the reason to convert at all.
//
// A conversion marks what it has converted. What is left in the end is harmless, for
// the reason in known.go, or noted, or refused. So a directive that nobody has thought
// of is at least a note.
//
//	result.go, file.go      the result, and as much of a configuration as it needs
//	write.go, writeroute.go the configuration as YAML
//	guard.go                conditions that stand before a route, and what both of two ask for
//	access.go               users with passwords, and services that are asked for permission
//	compress.go, mirror.go  compression and mirrors
//	known.go                what is harmless, and what protects
//	nginx*.go               from nginx: addresses, names, locations, conditions, paths, variables, headers, cookies, limits, access, caches, pools
//	haproxy*.go             from HAProxy: binds, rules, conditions, values and formats, pools
//	format.go               whose a text is
//	tree.go                 YAML, JSON and TOML with the places of their values
//	flow.go                 requests that conditions split, and what becomes of their path on the way
//	caddy*.go               from Caddy's JSON: servers, TLS, matchers, variables, handlers, pools
//	caddyfile*.go           Caddy's JSON of a Caddyfile
//	traefik*.go             from Traefik: entry points, rules, middlewares, services
package convert
