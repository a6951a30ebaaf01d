package bench

import (
	"maps"
	"math"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies have three significant digits, from a microsecond to longest. Longer ones
// count as longest.
const longest = time.Hour

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longest.Microseconds(), 3)
}

// recorder collects the results of requests by the second in which they were due. It is
// safe for concurrent use.
type recorder struct {
	start, end time.Time

	mu       sync.Mutex // protects the fields below
	all      *hdrhistogram.Histogram
	seconds  []*bucket
	failures map[string]int
	statuses map[int]int
	bytes    int64
	sent     int
	failed   int
	silent   int // of the failed: requests without a complete answer
}

// bucket has the counts of one second.
type bucket struct {
	sent, failed, silent int
	latency              *hdrhistogram.Histogram // latencies of answers
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
	r.sent++
	if rep.err == nil {
		b.latency.RecordValue(took)
		r.all.RecordValue(took)
	} else {
		b.silent++
		r.silent++
	}
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

// last returns the second that ended one second ago, so that most of its answers have
// arrived; ok is false if there is none.
func (r *recorder) last(now time.Time) (s Second, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := int(now.Sub(r.start)/time.Second) - 2
	if n < 0 || n >= len(r.seconds) {
		return s, false
	}
	return r.seconds[n].second(n), true
}

func (b *bucket) second(n int) Second {
	return Second{Second: n, Sent: b.sent, Failed: b.failed, Silent: b.silent, Latency: latencyOf(b.latency)}
}

// result returns the totals.
func (r *recorder) result() *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := &Result{
		Start:    r.start,
		Requests: r.sent, Failed: r.failed, Unanswered: r.silent,
		Bytes:    r.bytes,
		Seconds:  make([]Second, len(r.seconds)),
		Statuses: maps.Clone(r.statuses),
		Failures: maps.Clone(r.failures),
		Latency:  latencyOf(r.all),
	}
	for i, b := range r.seconds {
		res.Seconds[i] = b.second(i)
	}
	res.Distribution = distributionOf(r.all)
	res.Took = r.end.Sub(r.start).Seconds()
	return res
}

// distributionOf returns twenty points for each further nine: 90 %, 99 %, 99.9 %, as
// far as there are answers beyond.
func distributionOf(h *hdrhistogram.Histogram) (list []Quantile) {
	const pointsPerNine = 20
	n := float64(h.TotalCount())
	for i := 0; n > 0; i++ {
		beyond := math.Pow(10, -float64(i)/pointsPerNine)
		if beyond*n < 1 {
			break
		}
		list = append(list, Quantile{1 - beyond, milliseconds(h.ValueAtPercentile(100 * (1 - beyond)))})
	}
	return list
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	at := func(p float64) float64 { return milliseconds(h.ValueAtPercentile(p)) }
	return Latency{Min: milliseconds(h.Min()), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: milliseconds(h.Max()), Mean: h.Mean() / 1000}
}

func milliseconds(us int64) float64 { return float64(us) / 1000 }
