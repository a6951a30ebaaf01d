package metrics

import (
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// clients counts connections on the clients' side.
type clients struct {
	open     *prometheus.GaugeVec
	accepted *prometheus.CounterVec
}

func (c *clients) init() {
	c.open = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "client_connections", Help: "Open connections of clients, without those that switched protocols.",
	}, []string{"listener"})
	c.accepted = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "client_connections_accepted_total", Help: "Connections accepted from clients.",
	}, []string{"listener"})
}

// Describe and Collect make it a [prometheus.Collector].
func (c *clients) Describe(ch chan<- *prometheus.Desc) {
	c.open.Describe(ch)
	c.accepted.Describe(ch)
}

func (c *clients) Collect(ch chan<- prometheus.Metric) {
	c.open.Collect(ch)
	c.accepted.Collect(ch)
}

// ConnState returns what counts a listener's connections, for
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
