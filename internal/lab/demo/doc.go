// Package demo demonstrates goodgate on this machine alone: three example servers
// (backends) with scripted faults, a steady load, and a view of the backends' faults
// and the clients' results.
//
// The flow:
//
//	load -> TCP -> proxy.Proxy -> balancer.Pool -> TCP -> backends <- script
//	  \_____________\____ stats -> view
//
// All figures are counts. The load's own client, which repeats nothing, counts the
// results of clients. The proxy's records give the upstream failures. The backends
// count executions.
package demo
