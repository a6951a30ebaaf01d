//go:build minimal

package metrics

import (
	"net/http"

	"github.com/goodgate/goodgate/internal/series"
)

// The minimal edition uses goodgate's own library; library.go has the same names.
type (
	registry     = series.Registry
	collector    = series.Collector
	metric       = series.Metric
	desc         = series.Desc
	counter      = series.Counter
	observer     = series.Observer
	counterVec   = series.CounterVec
	gaugeVec     = series.GaugeVec
	histogramVec = series.HistogramVec
)

func newRegistry() *registry {
	r := new(series.Registry)
	r.MustRegister(series.NewProcess())
	return r
}

func newDesc(name, help string, labels ...string) *desc { return series.NewDesc(name, help, labels...) }

func newCounterVec(name, help string, labels ...string) *counterVec {
	return series.NewCounterVec(name, help, labels...)
}

func newGaugeVec(name, help string, labels ...string) *gaugeVec {
	return series.NewGaugeVec(name, help, labels...)
}

func newHistogramVec(name, help string, buckets []float64, labels ...string) *histogramVec {
	return series.NewHistogramVec(name, help, buckets, labels...)
}

func newCounterFunc(name, help string, count func() float64) collector {
	return series.NewCounterFunc(name, help, count)
}

func gaugeOf(d *desc, v float64, labels ...string) metric { return series.NewGauge(d, v, labels...) }

func counterOf(d *desc, v float64, labels ...string) metric {
	return series.NewCounter(d, v, labels...)
}

// handlerFor serves a registry as text.
func handlerFor(r *registry) http.Handler {
	return http.TimeoutHandler(r.Handler(maxScrapes), scrapeTimeout, "the metrics could not be collected in time")
}
