package series

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Registry has the collectors of one page of metrics. The zero value is empty.
type Registry struct {
	mu         sync.Mutex // protects the fields below
	collectors []Collector
	names      map[string]bool
}

// MustRegister adds collectors. It panics if a name is already in use.
func (r *Registry) MustRegister(all ...Collector) {
	for _, c := range all {
		r.register(c, received(c.Describe))
	}
}

func (r *Registry) register(c Collector, descs []*Desc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names == nil {
		r.names = map[string]bool{}
	}
	for _, d := range descs {
		if r.names[d.name] {
			panic("series: " + d.name + " is registered already")
		}
		r.names[d.name] = true
	}
	r.collectors = append(r.collectors, c)
}

// received runs send, and returns the values that it sent, in order.
func received[T any](send func(chan<- T)) (all []T) {
	ch := make(chan T, 64)
	var wg sync.WaitGroup
	wg.Go(func() { send(ch); close(ch) })
	for v := range ch {
		all = append(all, v)
	}
	wg.Wait()
	return all
}

// gather returns the present metrics, sorted by name and then by label values.
func (r *Registry) gather() []Metric {
	r.mu.Lock()
	collectors := slices.Clone(r.collectors)
	r.mu.Unlock()
	var all []Metric
	for _, c := range collectors {
		all = append(all, received(c.Collect)...)
	}
	slices.SortStableFunc(all, func(a, b Metric) int {
		if c := strings.Compare(a.desc.name, b.desc.name); c != 0 || a.desc != b.desc {
			return c
		}
		for _, i := range a.desc.order {
			if c := strings.Compare(a.values[i], b.values[i]); c != 0 {
				return c
			}
		}
		return 0
	})
	return all
}

// contentType names the format and its version, which Prometheus 3 requires.
const contentType = "text/plain; version=0.0.4; charset=utf-8"

// Handler serves the metrics. It answers 503 to more than atOnce concurrent requests.
func (r *Registry) Handler(atOnce int) http.Handler {
	places := make(chan struct{}, atOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		default:
			http.Error(w, "too many collect metrics at the same time; the limit is "+strconv.Itoa(atOnce), http.StatusServiceUnavailable)
			return
		}
		page := r.page()
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		w.Write(page)
	})
}

func (r *Registry) page() []byte {
	var b bytes.Buffer
	name := ""
	for _, m := range r.gather() {
		if d := m.desc; d.name != name {
			name = d.name
			b.WriteString("# HELP " + name + " " + escape.Replace(d.help) + "\n# TYPE " + name + " " + m.kind + "\n")
		}
		for _, s := range m.samples {
			m.write(&b, s)
		}
	}
	return b.Bytes()
}

var (
	escape = strings.NewReplacer("\\", `\\`, "\n", `\n`)
	quote  = strings.NewReplacer("\\", `\\`, "\n", `\n`, `"`, `\"`)
)

func (m Metric) write(b *bytes.Buffer, s sample) {
	b.WriteString(m.desc.name + s.suffix)
	sep := byte('{')
	label := func(name, value string) {
		b.WriteByte(sep)
		b.WriteString(name + `="` + quote.Replace(strings.ToValidUTF8(value, "\uFFFD")) + `"`)
		sep = ','
	}
	for _, i := range m.desc.order {
		label(m.desc.labels[i], m.values[i])
	}
	if s.label != "" {
		label(s.label, s.val)
	}
	if sep == ',' {
		b.WriteByte('}')
	}
	b.WriteString(" " + text(s.v) + "\n")
}

// text formats a number for the exposition format.
func text(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
