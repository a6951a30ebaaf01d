package metrics

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// namespace is what every name begins with.
const namespace = "goodgate_"

// Build says which goodgate this is.
type Build struct {
	Version  string
	Revision string // of the source; empty when not known
	Go       string // version
}

// Metrics is everything that is counted in one gate. It is safe for concurrent
// use.
type Metrics struct {
	registry *registry
	requests requests
	config   configState
	clients  clients
	pools    atomic.Pointer[func() []*proxy.Pool]
	sources  atomic.Pointer[func(pool string) []Source]
	certs    certificates
	fleet    fleet
	splits   splits
	mirrors  mirrors
}

// New returns metrics in which nothing has been counted.
func New(b Build) *Metrics {
	m := &Metrics{registry: newRegistry()}
	m.requests.init()
	m.config.init()
	m.clients.init()
	build := newGaugeVec(namespace+"build_info", "Which goodgate this is; always 1.", "version", "revision", "goversion")
	build.WithLabelValues(b.Version, b.Revision, b.Go).Set(1)
	m.registry.MustRegister(build, &m.requests, &m.config, &m.clients, &m.certs, &m.fleet, &m.splits, &m.mirrors, &poolCollector{metrics: m, gone: map[upstreamKey]time.Time{}})
	return m
}

// Source is how a place does where upstreams of a pool are found.
type Source struct {
	Name      string
	Upstreams int
	LeftOut   int       // candidates that are no upstreams
	Looked    time.Time // the last look that worked; zero = none has
	Failing   bool
	Failures  int // looks that failed
}

// SetSources says how the sources of a pool do. It may be called again.
func (m *Metrics) SetSources(sources func(pool string) []Source) { m.sources.Store(&sources) }

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
	m.registry.MustRegister(newCounterFunc(namespace+name, help, func() float64 { return float64(count()) }))
}

// What a scrape may cost.
const (
	maxScrapes    = 4
	scrapeTimeout = 10 * time.Second
)

// Handler serves the metrics to Prometheus.
func (m *Metrics) Handler() http.Handler { return handlerFor(m.registry) }
