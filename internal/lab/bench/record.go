package bench

import (
	"maps"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are kept with three digits from a microsecond to this; what takes
// longer counts as this.
const longest = time.Hour

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 3)
}

// recorder gathers what became of the requests, by the second in which they
// were due. It is safe for concurrent use.
type recorder struct {
	start, end time.Time

	mu       sync.Mutex // protects the fields below
	all      *hdrhistogram.Histogram
	seconds  []*bucket
	failures map[string]int
	statuses map[int]int
	bytes    int64
	failed   int
}

// bucket is one second.
type bucket struct {
	sent, failed int
	latency      *hdrhistogram.Histogram
}

func newRecorder() *recorder {
	return &recorder{all: newHistogram(), failures: map[string]int{}, statuses: map[int]int{}}
}

func (r *recorder) add(due, now time.Time, rep *reply) {
	took := min(now.Sub(due), longest).Microseconds()
	second := int(due.Sub(r.start) / time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	for second >= len(r.seconds) {
		r.seconds = append(r.seconds, &bucket{latency: newHistogram()})
	}
	b := r.seconds[second]
	b.sent++
	b.latency.RecordValue(took)
	r.all.RecordValue(took)
	r.bytes += rep.bytes
	if rep.status != 0 {
		r.statuses[rep.status]++
	}
	if f := rep.failure(); f != "" {
		b.failed++
		r.failed++
		r.failures[f]++
	}
}

// last returns the second that has been over for one second, so that most of
// its answers are in.
func (r *recorder) last(now time.Time) Second {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := int(now.Sub(r.start)/time.Second) - 2
	if n < 0 || n >= len(r.seconds) {
		return Second{Second: max(n, 0)}
	}
	return r.seconds[n].second(n)
}

func (b *bucket) second(n int) Second {
	return Second{Second: n, Sent: b.sent, Failed: b.failed, Latency: latencyOf(b.latency)}
}

// result closes the account.
func (r *recorder) result() *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := &Result{
		Start:    r.start,
		Requests: int(r.all.TotalCount()),
		Failed:   r.failed,
		Bytes:    r.bytes,
		Seconds:  make([]Second, len(r.seconds)),
		Statuses: maps.Clone(r.statuses),
		Failures: maps.Clone(r.failures),
		Latency:  latencyOf(r.all),
	}
	for i, b := range r.seconds {
		res.Seconds[i] = b.second(i)
	}
	for _, bar := range r.all.CumulativeDistribution() {
		res.Distribution = append(res.Distribution, Quantile{bar.Quantile / 100, milliseconds(bar.ValueAt)})
	}
	res.Took = r.end.Sub(r.start).Seconds()
	return res
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	at := func(p float64) float64 { return milliseconds(h.ValueAtPercentile(p)) }
	return Latency{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: milliseconds(h.Max()), Mean: h.Mean() / 1000}
}

func milliseconds(us int64) float64 { return float64(us) / 1000 }
