package metrics

import (
	"time"
)

// configState has the state of the configuration.
type configState struct {
	ok, when, info *gaugeVec
	reloads        *counterVec
}

func (c *configState) init() {
	c.ok = newGaugeVec(namespace+"config_last_reload_successful", "Whether the last attempt to load the configuration succeeded.")
	c.when = newGaugeVec(namespace+"config_last_reload_success_timestamp_seconds", "When the configuration in force was loaded.")
	c.info = newGaugeVec(namespace+"config_info", "The configuration in force; always 1.", "hash")
	c.reloads = newCounterVec(namespace+"config_reloads_total", "Attempts to load a configuration, including the first.", "result")
}

func (c *configState) vecs() []collector {
	return []collector{c.ok, c.when, c.info, c.reloads}
}

// Describe and Collect implement [collector].
func (c *configState) Describe(ch chan<- *desc) { describe(ch, c.vecs()) }
func (c *configState) Collect(ch chan<- metric) { collect(ch, c.vecs()) }

// ConfigLoaded records that a configuration is in use since a time. The hash is of its
// text, empty if unknown.
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

// ConfigFailed records that a configuration could not be loaded, and the previous one
// stays in use.
func (m *Metrics) ConfigFailed() {
	m.config.ok.WithLabelValues().Set(0)
	m.config.reloads.WithLabelValues("failed").Inc()
}
