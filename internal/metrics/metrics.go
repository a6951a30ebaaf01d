package metrics

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// namespace is the prefix of every name.
const namespace = "goodgate_"

// Build describes the build of goodgate.
type Build struct {
	Version  string
	Revision string // revision of the source; empty if unknown
	Go       string // version of Go
}

// Metrics has all metrics of one gate. It is safe for concurrent use.
type Metrics struct {
	registry *registry
	start    time.Time // since when counters count
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

// New returns metrics without counts.
func New(b Build) *Metrics {
	m := &Metrics{registry: newRegistry(), start: time.Now()}
	m.requests.init()
	m.config.init()
	m.clients.init()
	build := newGaugeVec(namespace+"build_info", "Which goodgate this is; always 1.", "version", "revision", "goversion")
	build.WithLabelValues(b.Version, b.Revision, b.Go).Set(1)
	m.registry.MustRegister(build, &m.requests, &m.config, &m.clients, &m.certs, &m.fleet, &m.splits, &m.mirrors, &poolCollector{metrics: m, gone: map[upstreamKey]time.Time{}})
	return m
}

// Source is the state of one source of a pool's upstreams.
type Source struct {
	Name      string
	Upstreams int
	LeftOut   int       // candidates left out
	Looked    time.Time // time of the last success; zero = none
	Failing   bool
	Failures  int // failed queries
}

// SetSources sets the function that returns the state of a pool's sources. It may be
// called again.
func (m *Metrics) SetSources(sources func(pool string) []Source) { m.sources.Store(&sources) }

// SetPools sets the function that returns the present pools. It may be called again.
func (m *Metrics) SetPools(pools func() []*proxy.Pool) {
	m.pools.Store(&pools)
	for _, p := range pools() {
		m.requests.expect(p.Name())
	}
}

// Register adds a counter whose value count returns. The name gets the prefix
// goodgate_. It panics if the name is in use.
func (m *Metrics) Register(name, help string, count func() int64) {
	m.registry.MustRegister(newCounterFunc(namespace+name, help, func() float64 { return float64(count()) }))
}

// Limits on scrapes.
const (
	maxScrapes    = 4
	scrapeTimeout = 10 * time.Second
)

// Handler serves the metrics to Prometheus.
func (m *Metrics) Handler() http.Handler { return handlerFor(m.registry) }
