package metrics

import (
	"net"
	"net/http"
)

// clients counts connections on the clients' side.
type clients struct {
	open     *gaugeVec
	accepted *counterVec
	resets   *counterVec
	failures *counterVec
}

func (c *clients) init() {
	c.open = newGaugeVec(namespace+"client_connections", "Open client connections, except those that switched protocols.", "listener")
	c.accepted = newCounterVec(namespace+"client_connections_accepted_total", "Connections accepted from clients.", "listener")
	c.resets = newCounterVec(namespace+"client_resets_total",
		"Requests over HTTP/2 and HTTP/3 that clients cancelled within a second of sending them, on connections that went on.", "listener")
	c.failures = newCounterVec(namespace+"client_http2_errors_total",
		"Protocol errors of clients in HTTP/2, and connections closed for them, in net/http's words.", "listener", "type")
}

// Describe and Collect implement [collector].
func (c *clients) Describe(ch chan<- *desc) {
	c.open.Describe(ch)
	c.accepted.Describe(ch)
	c.resets.Describe(ch)
	c.failures.Describe(ch)
}

func (c *clients) Collect(ch chan<- metric) {
	c.open.Collect(ch)
	c.accepted.Collect(ch)
	c.resets.Collect(ch)
	c.failures.Collect(ch)
}

// ConnState returns a function that counts a listener's connections, for
// [http.Server.ConnState].
func (m *Metrics) ConnState(listener string) func(net.Conn, http.ConnState) {
	open := m.clients.open.WithLabelValues(listener)
	accepted := m.clients.accepted.WithLabelValues(listener)
	return func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			accepted.Inc()
			open.Inc()
		case http.StateClosed, http.StateHijacked:
			open.Dec()
		}
	}
}

// Resets returns a function that counts requests cancelled at once by a listener's
// clients.
func (m *Metrics) Resets(listener string) func(n int) {
	count := m.clients.resets.WithLabelValues(listener)
	return func(n int) { count.Add(float64(n)) }
}

// HTTP2Failed returns a function that counts protocol errors of a listener's clients,
// for [http.HTTP2Config.CountError].
func (m *Metrics) HTTP2Failed(listener string) func(kind string) {
	return func(kind string) { m.clients.failures.WithLabelValues(listener, kind).Inc() }
}
