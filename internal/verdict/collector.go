package verdict

import (
	"math"
	"sync"
	"time"
)

// once is the time in which further requests of a client do not count. clients is the
// number of distinguishable clients; two with the same slot count as one.
const (
	once    = 10 * time.Second
	clients = 8192
)

// Result is the result of one request.
type Result struct {
	Side    int    // index of the side, from 0
	Client  uint64 // hash of the client; 0 = unknown, always counts
	Failed  bool
	Latency time.Duration // until the answer began; 0 = no answer
	Untimed bool          // its latency does not count
}

// Collector counts requests in blocks. It holds about 70 KiB.
type Collector struct {
	tolerated float64 // allowed latency of the other sides, relative to the first

	mu    sync.Mutex // protects the fields below
	seen  [clients]int64
	sides []Side
	first histogram
	slow  time.Duration // median of the first side in the blocks that have ended; 0 = unknown
	very  time.Duration // 95th percentile of the same
}

// NewCollector returns a collector for a number of sides.
func NewCollector(sides int, o Options) *Collector {
	return &Collector{tolerated: 1 + o.Latency, sides: make([]Side, sides)}
}

// Add counts a completed request, unless it has counted one of the same client less
// than ten seconds ago. The result of the request has no influence on whether it
// counts.
func (c *Collector) Add(r Result, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Client != 0 {
		last := &c.seen[r.Client%clients]
		if now.UnixNano()-*last < int64(once) {
			return
		}
		*last = now.UnixNano()
	}
	s := &c.sides[r.Side]
	s.Requests++
	if r.Failed {
		s.Errors++
	}
	if r.Latency <= 0 || r.Untimed {
		return
	}
	latency := float64(r.Latency)
	if r.Side == 0 {
		c.first.add(r.Latency)
	} else {
		latency /= c.tolerated
	}
	if c.slow == 0 {
		return
	}
	s.Timed++
	if latency > float64(c.slow) {
		s.Slow++
	}
	if latency > float64(c.very) {
		s.VerySlow++
	}
}

// Close ends the block, and returns what each side did in it.
func (c *Collector) Close() []Side {
	c.mu.Lock()
	defer c.mu.Unlock()
	block := c.sides
	c.sides = make([]Side, len(block))
	c.slow, c.very = c.first.quantile(0.5), c.first.quantile(0.95)
	c.first.fade()
	return block
}

// histogram counts latencies by their logarithm. Each bucket is 4 % wide, and they
// range from a microsecond to an hour. Older latencies weigh less.
type histogram struct {
	buckets [560]float64
	n       float64
}

const (
	bucketWidth = 1.04
	fading      = 0.98 // per block: the last 34 blocks have half of the weight
	enough      = 50   // requests needed for a quantile
)

func (h *histogram) add(d time.Duration) {
	i := int(math.Log(float64(d)/float64(time.Microsecond)) / math.Log(bucketWidth))
	h.buckets[min(max(i, 0), len(h.buckets)-1)]++
	h.n++
}

func (h *histogram) fade() {
	for i := range h.buckets {
		h.buckets[i] *= fading
	}
	h.n *= fading
}

// quantile returns the upper bound of the bucket with the quantile q, 0 while there are
// too few requests.
func (h *histogram) quantile(q float64) time.Duration {
	if h.n < enough {
		return 0
	}
	left := q * h.n
	for i, n := range h.buckets {
		if left -= n; left <= 0 {
			return time.Duration(math.Pow(bucketWidth, float64(i+1)) * float64(time.Microsecond))
		}
	}
	return 0
}
