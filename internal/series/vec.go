package series

import "sync/atomic"

// Counter is a value that only grows.
type Counter interface {
	Inc()
	Add(float64)
}

// Gauge is a value that goes up and down.
type Gauge interface {
	Counter
	Dec()
	Set(float64)
}

// Observer adds values to a histogram.
type Observer interface{ Observe(float64) }

// CounterVec, GaugeVec and HistogramVec have the series with one name. WithLabelValues
// returns the series with these values, in the order of the labels, and creates it if
// necessary.
type (
	CounterVec   struct{ vec[*number] }
	GaugeVec     struct{ vec[*number] }
	HistogramVec struct{ vec[*histogram] }
)

func newNumber() *number { return new(number) }

// NewCounterVec returns a vector without counters.
func NewCounterVec(name, help string, labels ...string) *CounterVec {
	return &CounterVec{vec[*number]{desc: NewDesc(name, help, labels...), kind: "counter", make: newNumber, all: map[string]labelled[*number]{}}}
}

// NewGaugeVec returns a vector without gauges.
func NewGaugeVec(name, help string, labels ...string) *GaugeVec {
	return &GaugeVec{vec[*number]{desc: NewDesc(name, help, labels...), kind: "gauge", make: newNumber, all: map[string]labelled[*number]{}}}
}

// NewHistogramVec returns a vector without histograms. bounds has the upper bounds of
// the buckets, ascending, without +Inf.
func NewHistogramVec(name, help string, bounds []float64, labels ...string) *HistogramVec {
	return &HistogramVec{vec[*histogram]{
		desc: NewDesc(name, help, labels...), kind: "histogram", all: map[string]labelled[*histogram]{},
		make: func() *histogram { return &histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)} },
	}}
}

func (v *CounterVec) WithLabelValues(values ...string) Counter    { return v.get(values) }
func (v *GaugeVec) WithLabelValues(values ...string) Gauge        { return v.get(values) }
func (v *HistogramVec) WithLabelValues(values ...string) Observer { return v.get(values) }

// NewCounterFunc returns a counter without labels. count returns its value.
func NewCounterFunc(name, help string, count func() float64) Collector {
	return counterFunc{NewDesc(name, help), count}
}

type counterFunc struct {
	desc  *Desc
	count func() float64
}

func (c counterFunc) Describe(ch chan<- *Desc) { ch <- c.desc }
func (c counterFunc) Collect(ch chan<- Metric) { ch <- NewCounter(c.desc, c.count()) }
