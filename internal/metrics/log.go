package metrics

// logDropped is read from the outputs of the log. Never changed.
var logDropped = newDesc(namespace+"log_output_records_dropped_total", "Records that an output of the log could not write in time.", "output")

// logOutputs is a collector of what each output of the log has dropped.
type logOutputs func() map[string]int64

// SetLog says where the records are counted that outputs of the log dropped, by the
// names of the outputs. It is called once.
func (m *Metrics) SetLog(dropped func() map[string]int64) {
	m.registry.MustRegister(logOutputs(dropped))
}

func (l logOutputs) Describe(ch chan<- *desc) { ch <- logDropped }

func (l logOutputs) Collect(ch chan<- metric) {
	for name, n := range l() {
		count(ch, logDropped, n, name)
	}
}
