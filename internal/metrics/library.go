//go:build !minimal

package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The full edition uses Prometheus' client library; own.go has the same names.
type (
	registry     = prometheus.Registry
	collector    = prometheus.Collector
	metric       = prometheus.Metric
	desc         = prometheus.Desc
	counter      = prometheus.Counter
	observer     = prometheus.Observer
	counterVec   = prometheus.CounterVec
	gaugeVec     = prometheus.GaugeVec
	histogramVec = prometheus.HistogramVec
)

func newRegistry() *registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

func newDesc(name, help string, labels ...string) *desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func newCounterVec(name, help string, labels ...string) *counterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func newGaugeVec(name, help string, labels ...string) *gaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

// newHistogramVec returns histograms that are native and have buckets.
func newHistogramVec(name, help string, buckets []float64, labels ...string) *histogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}, labels)
}

func newCounterFunc(name, help string, count func() float64) collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, count)
}

func gaugeOf(d *desc, v float64, labels ...string) metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counterOf(d *desc, v float64, labels ...string) metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

// handlerFor serves a registry in the requested format.
func handlerFor(r *registry) http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout, EnableOpenMetrics: true})
}
