package metrics

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/goodgate/goodgate/proxy"
)

const namespace = "goodgate"

// Build says which goodgate this is.
type Build struct {
	Version  string
	Revision string // of the source; empty when not known
	Go       string // version
}

// Metrics is everything that is counted in one gate. It is safe for concurrent
// use.
type Metrics struct {
	registry *prometheus.Registry
	requests requests
	config   configState
	clients  clients
	pools    atomic.Pointer[func() []*proxy.Pool]
	certs    certificates
}

// New returns metrics in which nothing has been counted.
func New(b Build) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.requests.init()
	m.config.init()
	m.clients.init()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Which goodgate this is; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "goversion": b.Go},
	})
	build.Set(1)
	m.registry.MustRegister(build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&m.requests, &m.config, &m.clients, &m.certs, &poolCollector{metrics: m, gone: map[upstreamKey]time.Time{}})
	return m
}

// SetPools says where the pools of this moment are found. It may be called again.
func (m *Metrics) SetPools(pools func() []*proxy.Pool) {
	m.pools.Store(&pools)
	for _, p := range pools() {
		m.requests.expect(p.Name())
	}
}

// Register adds a counter that somebody else keeps. The name gets the prefix
// goodgate_; it panics when that is taken.
func (m *Metrics) Register(name, help string, count func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: name, Help: help,
	}, func() float64 { return float64(count()) }))
}

// What a scrape may cost.
const (
	maxScrapes    = 4
	scrapeTimeout = 10 * time.Second
)

// Handler serves the metrics to Prometheus, in the form that it asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
		EnableOpenMetrics:   true,
	})
}
