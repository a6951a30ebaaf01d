package series

import (
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Desc describes the series with one name.
type Desc struct {
	name, help string
	labels     []string
	order      []int // indexes of labels, sorted by name
}

// NewDesc returns a description. Label values follow in the order of labels.
func NewDesc(name, help string, labels ...string) *Desc {
	d := &Desc{name: name, help: help, labels: labels}
	for i := range labels {
		d.order = append(d.order, i)
	}
	slices.SortFunc(d.order, func(a, b int) int { return strings.Compare(labels[a], labels[b]) })
	return d
}

// Metric is one series at one moment.
type Metric struct {
	desc    *Desc
	kind    string // the word of the format
	values  []string
	samples []sample
}

// sample is one line of the exposition.
type sample struct {
	suffix     string // suffix of the name
	label, val string // an additional label; "" = none
	v          float64
}

// NewGauge and NewCounter return a metric with one value.
func NewGauge(d *Desc, v float64, values ...string) Metric {
	return Metric{d, "gauge", values, []sample{{v: v}}}
}

func NewCounter(d *Desc, v float64, values ...string) Metric {
	return Metric{d, "counter", values, []sample{{v: v}}}
}

// Collector sends descriptions and metrics. Describe must send every description that
// Collect may use.
type Collector interface {
	Describe(chan<- *Desc)
	Collect(chan<- Metric)
}

// number is a float64 for concurrent changes. The zero value is 0.
type number struct{ bits atomic.Uint64 }

func (n *number) value() float64 { return math.Float64frombits(n.bits.Load()) }
func (n *number) Set(v float64)  { n.bits.Store(math.Float64bits(v)) }
func (n *number) Inc()           { n.Add(1) }
func (n *number) Dec()           { n.Add(-1) }

func (n *number) Add(v float64) {
	for {
		old := n.bits.Load()
		if n.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

func (n *number) samples() []sample { return []sample{{v: n.value()}} }

// histogram counts values in classic buckets.
type histogram struct {
	bounds []float64 // upper bounds, ascending; shared, immutable
	counts []atomic.Uint64
	sum    number
}

func (h *histogram) Observe(v float64) {
	i, _ := slices.BinarySearch(h.bounds, v) // the first bound >= v
	h.counts[i].Add(1)
	h.sum.Add(v)
}

func (h *histogram) samples() []sample {
	all := make([]sample, 0, len(h.counts)+2)
	total := 0.0
	for i := range h.counts {
		bound := math.Inf(1)
		if i < len(h.bounds) {
			bound = h.bounds[i]
		}
		total += float64(h.counts[i].Load())
		all = append(all, sample{"_bucket", "le", text(bound), total})
	}
	return append(all, sample{suffix: "_sum", v: h.sum.value()}, sample{suffix: "_count", v: total})
}

// vec has all series with one name, by label values.
type vec[S interface{ samples() []sample }] struct {
	desc *Desc
	kind string
	make func() S

	mu  sync.RWMutex // protects all
	all map[string]labelled[S]
}

type labelled[S any] struct {
	values []string
	series S
}

// between separates label values in a key. It does not occur in UTF-8.
const between = "\xff"

func (v *vec[S]) get(values []string) S {
	if len(values) != len(v.desc.labels) {
		panic("series: " + v.desc.name + " has other labels")
	}
	key := strings.Join(values, between)
	v.mu.RLock()
	found, ok := v.all[key]
	v.mu.RUnlock()
	if ok {
		return found.series
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if found, ok = v.all[key]; !ok {
		found = labelled[S]{slices.Clone(values), v.make()}
		v.all[key] = found
	}
	return found.series
}

// Describe and Collect implement [Collector].
func (v *vec[S]) Describe(ch chan<- *Desc) { ch <- v.desc }

func (v *vec[S]) Collect(ch chan<- Metric) {
	v.mu.RLock()
	all := make([]Metric, 0, len(v.all))
	for _, s := range v.all {
		all = append(all, Metric{v.desc, v.kind, s.values, s.series.samples()})
	}
	v.mu.RUnlock()
	for _, m := range all {
		ch <- m
	}
}

// Reset drops all series.
func (v *vec[S]) Reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.all)
}

// DeletePartialMatch drops the series that have all of these labels, and returns their
// number.
func (v *vec[S]) DeletePartialMatch(labels map[string]string) (dropped int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for key, s := range v.all {
		if v.desc.has(s.values, labels) {
			delete(v.all, key)
			dropped++
		}
	}
	return dropped
}

func (d *Desc) has(values []string, labels map[string]string) bool {
	for name, want := range labels {
		i := slices.Index(d.labels, name)
		if i < 0 || values[i] != want {
			return false
		}
	}
	return true
}
