// Package convert writes a goodgate configuration that does the same as another
// proxy's: [Nginx], [HAProxy], [Caddyfile], [Caddy], [Traefik].
//
// A setting without an equivalent becomes a [Note] with its place; nothing is lost
// silently. If the setting restricts access, limits or hides something, it goes to
// [Result.Refused] instead, and the configuration must not be used then. goodgate's own
// protections (health checks, retries, holding requests) keep their defaults, because
// they are the reason to convert.
//
// A conversion marks the settings that it has converted. At the end, each unmarked one
// is skipped for a reason in known.go, noted, or refused. So even a directive that
// convert does not know leads to a note.
//
//	result.go, file.go      the result, and the part of goodgate's configuration that it uses
//	write.go, writeroute.go the configuration as YAML
//	guard.go                rules before a route, and the combination of conditions
//	access.go               users with passwords, and authorization services
//	compress.go, mirror.go  compression and mirrors
//	dnschallenge.go         DNS challenges of certificates
//	known.go                nginx's directives that are harmless, and those that protect
//	nginx*.go               from nginx: addresses, names, locations, conditions, paths, variables, headers, cookies, limits, access, caches, pools
//	haproxy*.go             from HAProxy: binds, rules, conditions, values and formats, pools
//	format.go               recognizes the format of a text
//	tree.go                 YAML, JSON and TOML, with the place of each value
//	flow.go                 how conditions split requests, and changes of their path
//	caddy*.go               from Caddy's JSON: servers, TLS, matchers, variables, handlers, pools
//	caddyfile*.go           from a Caddyfile to Caddy's JSON
//	traefik*.go             from Traefik: entry points, rules, middlewares, services
package convert
