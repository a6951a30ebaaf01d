package metrics

func sourceDesc(name, help string) *desc {
	return newDesc(namespace+"source_"+name, help, "pool", "source")
}

// Metrics of the sources of upstreams. They are never changed.
var (
	sourceUp        = sourceDesc("up", "Whether the last lookup of the source succeeded.")
	sourceUpstreams = sourceDesc("upstreams", "Upstreams found by the source's last lookup.")
	sourceLeftOut   = sourceDesc("left_out", "Candidates found by the source's last lookup that goodgate does not use.")
	sourceLooked    = sourceDesc("last_success_timestamp_seconds", "Time of the source's last successful lookup; 0 if there was none.")
	sourceFailures  = sourceDesc("failures_total", "Failed lookups of the source.")
)

// collectSources sends the state of a pool's sources.
func (c *poolCollector) collectSources(ch chan<- metric, pool string) {
	sources := c.metrics.sources.Load()
	if sources == nil {
		return
	}
	for _, s := range (*sources)(pool) {
		looked := 0.0
		if !s.Looked.IsZero() {
			looked = float64(s.Looked.UnixMilli()) / 1000
		}
		gauge(ch, sourceUp, number(!s.Failing), pool, s.Name)
		gauge(ch, sourceUpstreams, s.Upstreams, pool, s.Name)
		gauge(ch, sourceLeftOut, s.LeftOut, pool, s.Name)
		gauge(ch, sourceLooked, looked, pool, s.Name)
		count(ch, sourceFailures, int64(s.Failures), pool, s.Name)
	}
}
