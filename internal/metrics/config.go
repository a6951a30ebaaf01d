package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// configState tells which configuration is in force.
type configState struct {
	ok, when, info *prometheus.GaugeVec
	reloads        *prometheus.CounterVec
}

func (c *configState) init() {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	c.ok = gauge("config_last_reload_successful", "Whether the last attempt to load the configuration succeeded.")
	c.when = gauge("config_last_reload_success_timestamp_seconds", "When the configuration in force was loaded.")
	c.info = gauge("config_info", "The configuration in force; always 1.", "hash")
	c.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "config_reloads_total", Help: "Attempts to load a configuration, the first included.",
	}, []string{"result"})
}

func (c *configState) vecs() []prometheus.Collector {
	return []prometheus.Collector{c.ok, c.when, c.info, c.reloads}
}

// Describe and Collect make it a [prometheus.Collector].
func (c *configState) Describe(ch chan<- *prometheus.Desc) { describe(ch, c.vecs()) }
func (c *configState) Collect(ch chan<- prometheus.Metric) { collect(ch, c.vecs()) }

// ConfigLoaded says that a configuration is in force since a moment. The hash is
// of its text, empty when that is not known.
func (m *Metrics) ConfigLoaded(hash string, at time.Time) {
	c := &m.config
	c.ok.WithLabelValues().Set(1)
	c.when.WithLabelValues().Set(float64(at.UnixMilli()) / 1000)
	c.info.Reset()
	if hash != "" {
		c.info.WithLabelValues(hash).Set(1)
	}
	c.reloads.WithLabelValues("ok").Inc()
	c.reloads.WithLabelValues("failed")
}

// ConfigFailed says that a configuration could not be loaded; the one before
// stays in force.
func (m *Metrics) ConfigFailed() {
	m.config.ok.WithLabelValues().Set(0)
	m.config.reloads.WithLabelValues("failed").Inc()
}
