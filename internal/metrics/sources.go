package metrics

func sourceDesc(name, help string) *desc {
	return newDesc(namespace+"source_"+name, help, "pool", "source")
}

// What is read from the places where upstreams are found. Never changed.
var (
	sourceUp        = sourceDesc("up", "Whether the last look of the source worked.")
	sourceUpstreams = sourceDesc("upstreams", "Upstreams that the source found last.")
	sourceLeftOut   = sourceDesc("left_out", "Candidates that the source found last and does not use.")
	sourceLooked    = sourceDesc("last_success_timestamp_seconds", "When a look of the source worked last; 0 when none has.")
	sourceFailures  = sourceDesc("failures_total", "Looks of the source that failed.")
)

// collectSources sends how the sources of a pool do.
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
