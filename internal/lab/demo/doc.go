// Package demo shows goodgate at work on this machine alone: three example
// servers (backends) with faults that come and go by a script, a steady load,
// and a view of what the backends did and what the clients saw.
//
// The flow:
//
//	load -> TCP -> proxy.Proxy -> balancer.Pool -> TCP -> backends <- script
//	  \_____________\____ stats -> view
//
// Everything that is shown is counted: what reached clients by the load's own
// client, which repeats nothing; what failed upstream by the proxy's records;
// what was executed by the backends themselves.
package demo
