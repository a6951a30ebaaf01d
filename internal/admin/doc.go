// Package admin is the operator's API: it reports the state of goodgate and its upstreams
// as JSON, and accepts changes while goodgate runs. It also serves the dashboard. It has
// its own listener; docs/admin.md describes it.
//
// The proxy, the balancer and the health checks report to three observers, which outlive
// a [Server]: the [Tally] counts the last minute, the [Journal] remembers the last hour,
// and the [Ring] keeps the latest failed requests. A [Server] combines them with the
// balancer's present state into a [Status] and its [Trouble]s, the situations of package
// situation with their evidence. All exported types are safe for concurrent use, unless
// they are plain data.
//
// The main files:
//
//	server.go, endpoint.go, guard.go       the server, its table of endpoints, access
//	author.go, client.go, reach.go         tokens and authors; the client of the CLI
//	status.go, overview.go, detail.go      the answers about the present state
//	tally.go, attempts.go, recent.go       counts of the last minute; window.go, histogram.go
//	journal.go, history.go, timeline.go    the last hour: figures and events
//	ring.go, why.go                        failed requests, explained
//	trouble*.go, evidence.go, group.go     what is wrong, in sentences; alike ones as one
//	compare.go, hedged.go                  comparisons between upstreams; hedges
//	change.go, changes.go, place.go        orders about upstreams
//	closure.go, split.go, cache.go         pauses, maintenances, splits, the cache
//	fleet.go, zones.go, source.go          state of the fleet, zones and sources
//	openapi.go, openapischema.go           the OpenAPI description
//	page.go, profiles.go                   the dashboard; profiles of the runtime
package admin
