// Package series has counters, gauges and histograms, and exposes them in Prometheus'
// text format, version 0.0.4. It implements the part of Prometheus' client library that
// package metrics uses, under the same names, and writes the same lines. The minimal
// edition uses it: the library and Protobuf would be a sixth of that binary.
//
// It does not have native histograms, OpenMetrics or exemplars. Everything here is safe
// for concurrent use.
package series
