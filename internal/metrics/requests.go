package metrics

import (
	"cmp"
	"net/http"
	"strconv"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// requests counts the requests in records.
type requests struct {
	total, received, sent       *counterVec
	duration, hold, queue       *histogramVec
	failed, escaped, absorbed   *counterVec
	hedgesWon                   *counterVec
	dryRun, faults              *counterVec
	attempts, conns, transition *counterVec
	asked                       *counterVec
	askedTook                   *histogramVec

	series    cache[requestKey, *requestSeries]
	routes    cache[routeKey, *routeSeries]
	upstreams cache[upstreamKey, *upstreamSeries]
}

type (
	requestKey struct {
		routeKey
		method string
		status int
	}
	routeKey    struct{ route, pool string }
	upstreamKey = balancer.Key
)

// requestSeries are the series of a successful request.
type requestSeries struct {
	total counter
	route *routeSeries
}

type routeSeries struct {
	received, sent counter
	duration       observer
}

// upstreamSeries are the series of a successful attempt.
type upstreamSeries struct{ answered, conns counter }

// classicBuckets are few buckets for those who do not use native histograms: from the
// latency of a cache to more than people wait.
var classicBuckets = [...]float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30}

func (q *requests) init() {
	q.total = newCounterVec(namespace+"requests_total", "Requests that have ended.", "route", "pool", "method", "code")
	q.received = newCounterVec(namespace+"request_body_bytes_total", "Bytes of request bodies received from clients.", "route", "pool")
	q.sent = newCounterVec(namespace+"response_body_bytes_total", "Bytes of response bodies sent to clients.", "route", "pool")
	q.duration = newHistogramVec(namespace+"request_duration_seconds", "From a request's header to the end of its response.", classicBuckets[:], "route", "pool")
	q.hold = newHistogramVec(namespace+"hold_duration_seconds", "Waiting time of requests that had to wait for an upstream.", classicBuckets[:], "pool")
	q.queue = newHistogramVec(namespace+"queue_duration_seconds", "Waiting time of requests that had to queue before the pool.", classicBuckets[:], "pool")
	q.failed = newCounterVec(namespace+"requests_failed_total", "Requests without a good response, from any cause.", "pool", "reason")
	q.dryRun = newCounterVec(namespace+"rate_dry_run_total", "Requests that a rate in dry run would have refused.", "rate")
	q.faults = newCounterVec(namespace+"faults_injected_total", "Injected faults that requests met.", "route", "kind")
	q.escaped = newCounterVec(namespace+"gateway_errors_escaped_total", "Requests whose client saw a gateway error.", "pool", "reason")
	q.absorbed = newCounterVec(namespace+"gateway_errors_absorbed_total", "Requests with a failure that goodgate hid from the client.", "pool", "by", "reason")
	q.hedgesWon = newCounterVec(namespace+"hedges_won_total", "Requests that a second upstream answered before the first, which had not failed.", "pool")
	q.attempts = newCounterVec(namespace+"attempts_total", "Attempts to send requests to upstreams.", "pool", "upstream", "reason", "decision")
	q.conns = newCounterVec(namespace+"upstream_connections_opened_total", "Connections opened to an upstream for requests.", "pool", "upstream")
	q.asked = newCounterVec(namespace+"forward_auth_requests_total", "Requests about which access.forward asked the service, by the result: admitted, cached, refused or failed.", "route", "pool", "outcome")
	q.askedTook = newHistogramVec(namespace+"forward_auth_duration_seconds", "Time until the service of access.forward had decided, without cached answers.", classicBuckets[:], "route", "pool")
	q.transition = newCounterVec(namespace+"upstream_transitions_total", "Changes of an upstream's availability.", "pool", "upstream", "to")
	q.series.make = func(k requestKey) *requestSeries {
		return &requestSeries{q.total.WithLabelValues(k.route, k.pool, k.method, code(k.status)), q.routes.get(k.routeKey)}
	}
	q.routes.make = func(k routeKey) *routeSeries {
		return &routeSeries{q.received.WithLabelValues(k.route, k.pool), q.sent.WithLabelValues(k.route, k.pool), q.duration.WithLabelValues(k.route, k.pool)}
	}
	q.upstreams.make = func(k upstreamKey) *upstreamSeries {
		return &upstreamSeries{
			q.attempts.WithLabelValues(k.Pool, k.Addr, reason.None.String(), reason.Answered.String()),
			q.conns.WithLabelValues(k.Pool, k.Addr),
		}
	}
}

func (q *requests) vecs() []collector {
	return []collector{q.total, q.received, q.sent, q.duration, q.hold, q.queue, q.failed, q.dryRun, q.faults, q.escaped, q.absorbed, q.hedgesWon, q.attempts, q.conns, q.transition, q.asked, q.askedTook}
}

// Describe and Collect implement [collector].
func (q *requests) Describe(ch chan<- *desc) { describe(ch, q.vecs()) }
func (q *requests) Collect(ch chan<- metric) { collect(ch, q.vecs()) }

func describe(ch chan<- *desc, all []collector) {
	for _, c := range all {
		c.Describe(ch)
	}
}

func collect(ch chan<- metric, all []collector) {
	for _, c := range all {
		c.Collect(ch)
	}
}

// expect creates a pool's failure counters with 0, so that the first failure is visible
// as an increase.
func (q *requests) expect(pool string) {
	for _, r := range reason.All() {
		if r.GatewayError() {
			q.escaped.WithLabelValues(pool, r.String())
		}
	}
	q.hold.WithLabelValues(pool)
	q.hedgesWon.WithLabelValues(pool)
}

// Observe counts a completed request. It does not keep the record.
func (m *Metrics) Observe(r *proxy.Record) {
	q := &m.requests
	s := q.series.get(requestKey{routeKey{r.Route, r.Pool}, method(r.Method), status(r.Status)})
	s.total.Inc()
	s.route.duration.Observe(r.Duration.Seconds())
	if r.Received > 0 {
		s.route.received.Add(float64(r.Received))
	}
	if r.Sent > 0 {
		s.route.sent.Add(float64(r.Sent))
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		q.attempt(cmp.Or(a.Pool, r.Pool), a)
	}
	if r.Asked != nil {
		q.ask(r)
	}
	if r.Reason != reason.None || r.Absorbed != reason.ByNothing || r.Held+r.Queued > 0 || r.DryRun != "" || r.Faults != 0 {
		q.special(r)
	}
}

// special counts the uncommon facts of a request.
func (q *requests) special(r *proxy.Record) {
	if r.Held > 0 {
		q.hold.WithLabelValues(r.Pool).Observe(r.Held.Seconds())
	}
	if r.Queued > 0 {
		q.queue.WithLabelValues(r.Pool).Observe(r.Queued.Seconds())
	}
	if r.DryRun != "" {
		q.dryRun.WithLabelValues(r.DryRun).Inc()
	}
	for _, kind := range r.Faults.Words() {
		q.faults.WithLabelValues(r.Route, kind).Inc()
	}
	why := r.Reason.String()
	if r.Reason != reason.None {
		q.failed.WithLabelValues(r.Pool, why).Inc()
	}
	if r.Escaped() {
		q.escaped.WithLabelValues(r.Pool, why).Inc()
	}
	if r.MadeFaster() {
		q.hedgesWon.WithLabelValues(r.Pool).Inc()
	}
	if r.Rescued() {
		q.absorbed.WithLabelValues(r.Pool, r.Absorbed.String(), r.Hidden.String()).Inc()
	}
}

// ask counts the question of access.forward.
func (q *requests) ask(r *proxy.Record) {
	a := r.Asked
	q.asked.WithLabelValues(r.Route, a.Pool, a.Outcome.String()).Inc()
	if a.Outcome != proxy.AskedCache {
		q.askedTook.WithLabelValues(r.Route, a.Pool).Observe(a.Took.Seconds())
	}
	for i := range a.Attempts {
		q.attempt(a.Pool, &a.Attempts[i])
	}
}

func (q *requests) attempt(pool string, a *proxy.Attempt) {
	s := q.upstreams.get(upstreamKey{Pool: pool, Addr: a.Upstream})
	if !a.Reused && a.Sent > 0 {
		s.conns.Inc()
	}
	if a.Reason == reason.None && a.Decision == reason.Answered {
		s.answered.Inc()
		return
	}
	q.attempts.WithLabelValues(pool, a.Upstream, a.Reason.String(), a.Decision.String()).Inc()
}

// Changed counts a change of an upstream's availability.
func (m *Metrics) Changed(c balancer.Change) {
	to := "unavailable"
	if c.Available {
		to = "available"
	}
	k := c.Upstream.Key()
	m.requests.upstreams.get(k) // registers it for removal with the upstream
	m.requests.transition.WithLabelValues(k.Pool, k.Addr, to).Inc()
}

// forget removes the series of an upstream.
func (q *requests) forget(k upstreamKey) {
	q.upstreams.delete(k)
	of := map[string]string{"pool": k.Pool, "upstream": k.Addr}
	for _, v := range []*counterVec{q.attempts, q.conns, q.transition} {
		v.DeletePartialMatch(of)
	}
}

// method maps a client's method to a known set.
func method(m string) string {
	for _, known := range [...]string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace} {
		if m == known {
			return known // m is a part of the request's header and would keep all of it in memory
		}
	}
	return "other"
}

// statusClientGone is the log's status for a client that has left.
const statusClientGone = 499

// status maps an unregistered status to its class.
func status(s int) int {
	if s == statusClientGone || http.StatusText(s) != "" {
		return s
	}
	return s / 100
}

func code(status int) string {
	switch {
	case status >= 100:
		return strconv.Itoa(status)
	case status >= 1 && status <= 9:
		return strconv.Itoa(status) + "xx"
	}
	return "none"
}
