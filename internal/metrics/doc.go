// Package metrics counts events of requests and exposes them to Prometheus, with the
// state of pools and upstreams.
//
// [Metrics.Observe] counts one request. In the common case it makes no allocation and
// takes well below a microsecond, because it finds its series in caches that need no
// lock. The state of pools is read at each scrape.
//
// The configuration bounds the number of series: routes, pools, upstreams, reasons,
// decisions, the registered status codes and methods. Values chosen by clients, such as
// unknown methods, share one series. The series of an upstream that has left its pool
// are removed some minutes later.
//
// All names begin with goodgate_; docs/metrics.md lists them.
package metrics
