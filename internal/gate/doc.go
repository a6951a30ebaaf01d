// Package gate runs a goodgate from start to end. Package assemble derives options from a
// configuration. From them, the gate builds the pools with their sources and health
// checks, the proxy over them, and the listeners in front.
//
// A configuration becomes a plan, which is built and checked completely before anything
// changes. Then the gate puts the plan into use: at the start ([Gate.Run]), for each
// reload ([Gate.Reload], [Gate.Reread], [Gate.Watch], [Gate.Rollback]), and in a new
// process that takes over the sockets ([Gate.Upgrade]). At the end the gate drains.
//
// Requests read the present configuration from an atomic pointer, without a lock. Gate.mu
// is held while the configuration is replaced, so that replacements happen one after the
// other.
//
// The main files:
//
//	gate.go, reload.go, watch.go         the life of a gate; replacing the configuration
//	drain.go, upgrade.go                 draining; passing the sockets to a new process
//	listen.go, bind.go, tls.go, acme.go  listeners, their sockets and certificates
//	http3.go, resets.go, proxyproto.go   HTTP/3; floods of resets; the PROXY protocol
//	pool.go, source.go, members.go       a pool: its parts, DNS and files, its upstreams
//	added.go, said.go, changes.go        changes that operators order, and their state file
//	closed.go, pages.go, splits.go       pauses and maintenances; splits of traffic
//	deploy.go, mirrors.go, agents.go     deploys; mirrors; agents beside upstreams
//	admin.go, control.go, wiring.go      the operator's API
//	events.go, observe.go, traces.go     webhook events; log, metrics and traces
//	pushes.go                            metrics by OTLP
//	shortage.go, limits.go               file descriptors; limits on requests
//	fleet*.go                            all that several instances share
//	explain.go, probe.go, doubts.go      for the commands explain, probe and check
package gate
