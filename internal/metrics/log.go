package metrics

// logDropped is the metric of dropped log records. It is never changed.
var logDropped = newDesc(namespace+"log_output_records_dropped_total", "Records that an output of the log could not write in time.", "output")

// logOutputs collects the dropped records of each log output.
type logOutputs func() map[string]int64

// SetLog sets the function that returns the number of records dropped by log outputs,
// by their names. It must be called once.
func (m *Metrics) SetLog(dropped func() map[string]int64) {
	m.registry.MustRegister(logOutputs(dropped))
}

func (l logOutputs) Describe(ch chan<- *desc) { ch <- logDropped }

func (l logOutputs) Collect(ch chan<- metric) {
	for name, n := range l() {
		count(ch, logDropped, n, name)
	}
}
