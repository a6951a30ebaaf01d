package series

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"time"
)

// process collects metrics of the Go runtime and of this process, under the names of
// Prometheus' client library.
type process struct {
	info, pauses *Desc
	samples      []metrics.Sample // for the sources of goMetrics, in order
	descs        []*Desc          // for goMetrics
	system       map[string]*Desc
}

// Names of runtime/metrics that several series use.
const (
	heapObjects  = "/memory/classes/heap/objects:bytes"
	heapUnused   = "/memory/classes/heap/unused:bytes"
	heapFree     = "/memory/classes/heap/free:bytes"
	heapReleased = "/memory/classes/heap/released:bytes"
	tinyAllocs   = "/gc/heap/tiny/allocs:objects"
)

// goMetrics has the metrics of the runtime. Each is the sum of its sources. A name that
// ends in _total is a counter.
var goMetrics = [...]struct {
	name, help string
	sources    []string
}{
	{"go_gc_gogc_percent", "Heap size target percentage configured by the user, otherwise 100.", []string{"/gc/gogc:percent"}},
	{"go_gc_gomemlimit_bytes", "Go runtime memory limit configured by the user, otherwise math.MaxInt64.", []string{"/gc/gomemlimit:bytes"}},
	{"go_goroutines", "Number of goroutines that currently exist.", []string{"/sched/goroutines:goroutines"}},
	{"go_memstats_alloc_bytes", "Number of bytes allocated in heap and currently in use.", []string{heapObjects}},
	{"go_memstats_alloc_bytes_total", "Total number of bytes allocated in heap until now, even if released already.", []string{"/gc/heap/allocs:bytes"}},
	{"go_memstats_frees_total", "Total number of heap objects frees.", []string{"/gc/heap/frees:objects", tinyAllocs}},
	{"go_memstats_heap_alloc_bytes", "Number of heap bytes allocated and currently in use, same as go_memstats_alloc_bytes.", []string{heapObjects}},
	{"go_memstats_heap_idle_bytes", "Number of heap bytes waiting to be used.", []string{heapReleased, heapFree}},
	{"go_memstats_heap_inuse_bytes", "Number of heap bytes that are in use.", []string{heapObjects, heapUnused}},
	{"go_memstats_heap_objects", "Number of currently allocated objects.", []string{"/gc/heap/objects:objects"}},
	{"go_memstats_heap_released_bytes", "Number of heap bytes released to OS.", []string{heapReleased}},
	{"go_memstats_heap_sys_bytes", "Number of heap bytes obtained from system.", []string{heapObjects, heapUnused, heapReleased, heapFree}},
	{"go_memstats_mallocs_total", "Total number of heap objects allocated, both live and gc-ed.", []string{"/gc/heap/allocs:objects", tinyAllocs}},
	{"go_memstats_next_gc_bytes", "Number of heap bytes when next garbage collection will take place.", []string{"/gc/heap/goal:bytes"}},
	{"go_memstats_stack_inuse_bytes", "Number of bytes obtained from system for stack allocator.", []string{"/memory/classes/heap/stacks:bytes"}},
	{"go_memstats_sys_bytes", "Number of bytes obtained from system.", []string{"/memory/classes/total:bytes"}},
	{"go_sched_gomaxprocs_threads", "The current runtime.GOMAXPROCS setting.", []string{"/sched/gomaxprocs:threads"}},
	{"go_threads", "Number of OS threads created.", []string{"/sched/threads/total:threads"}},
}

// NewProcess returns the collector of the metrics go_* and process_*.
func NewProcess() Collector {
	p := &process{
		info:   NewDesc("go_info", "Information about the Go environment.", "version"),
		pauses: NewDesc("go_gc_duration_seconds", "A summary of the wall-time pause (stop-the-world) duration in garbage collection cycles."),
		system: map[string]*Desc{},
	}
	for _, m := range goMetrics {
		for _, source := range m.sources {
			p.samples = append(p.samples, metrics.Sample{Name: source})
		}
		p.descs = append(p.descs, NewDesc(m.name, m.help))
	}
	for _, m := range systemMetrics {
		p.system[m.name] = NewDesc(m.name, m.help)
	}
	return p
}

func (p *process) Describe(ch chan<- *Desc) {
	ch <- p.info
	ch <- p.pauses
	for _, d := range p.descs {
		ch <- d
	}
	for _, d := range p.system {
		ch <- d
	}
}

func (p *process) Collect(ch chan<- Metric) {
	ch <- NewGauge(p.info, 1, runtime.Version())
	ch <- p.gcPauses()
	samples := slices.Clone(p.samples)
	metrics.Read(samples)
	for i, m := range goMetrics {
		sum := 0.0
		for range m.sources {
			sum += float64(samples[0].Value.Uint64())
			samples = samples[1:]
		}
		ch <- p.number(p.descs[i], sum)
	}
	for name, v := range systemValues() {
		ch <- p.number(p.system[name], v)
	}
}

// number returns a metric of the kind that its name implies.
func (p *process) number(d *Desc, v float64) Metric {
	if strings.HasSuffix(d.name, "_total") {
		return NewCounter(d, v)
	}
	return NewGauge(d, v)
}

func (p *process) gcPauses() Metric {
	stats := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&stats)
	m := Metric{desc: p.pauses, kind: "summary"}
	for i, quantile := range []string{"0", "0.25", "0.5", "0.75", "1"} {
		m.samples = append(m.samples, sample{"", "quantile", quantile, stats.PauseQuantiles[i].Seconds()})
	}
	m.samples = append(m.samples, sample{suffix: "_sum", v: stats.PauseTotal.Seconds()}, sample{suffix: "_count", v: float64(stats.NumGC)})
	return m
}
