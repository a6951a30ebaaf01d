// Package metrics counts what happens to requests and shows it, with the state
// of pools and upstreams, to Prometheus.
//
// A [Metrics] is told of every request by [Metrics.Observe], which costs no
// allocation and well below a microsecond in the plain case, since it finds the
// series it adds to in caches that are read without a lock. The state of pools is
// read when it is asked for, not followed.
//
// The number of series is bounded by the configuration: routes, pools, upstreams,
// reasons, decisions, the registered status codes and methods. What a client
// chooses freely, such as an unknown method, shares one series. Series of an
// upstream that has left its pool go some minutes later.
//
// All names begin with goodgate_; docs/metrics.md lists them.
package metrics
