package verdict

import (
	"math"
	"sync"
	"time"
)

// once is how long a client's next request does not count; clients is how many
// can be told apart. Two that share a place count as one.
const (
	once    = 10 * time.Second
	clients = 8192
)

// Result is how a request ended.
type Result struct {
	Side    int    // from 0
	Client  uint64 // hash of who sent it; 0 = not known, it counts by itself
	Failed  bool
	Latency time.Duration // until the answer began; 0 = there was none
	Untimed bool          // its latency is not to be judged
}

// Collector counts requests in blocks. It holds 64 KiB and 4 KiB a side.
type Collector struct {
	tolerated float64 // latency of the other sides over that of the first

	mu    sync.Mutex // protects the fields below
	seen  [clients]int64
	sides []Side
	first histogram
	slow  time.Duration // the median of the first side, in blocks that have ended; 0 = not known
	very  time.Duration // its 95th percentile
}

// NewCollector returns one for so many sides.
func NewCollector(sides int, o Options) *Collector {
	return &Collector{tolerated: 1 + o.Latency, sides: make([]Side, sides)}
}

// Add takes a request that has ended, unless its client was counted just now.
// Whether it counts does not depend on how it ended.
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

// Close ends the block and returns what each side did in it.
func (c *Collector) Close() []Side {
	c.mu.Lock()
	defer c.mu.Unlock()
	block := c.sides
	c.sides = make([]Side, len(block))
	c.slow, c.very = c.first.quantile(0.5), c.first.quantile(0.95)
	c.first.fade()
	return block
}

// histogram counts latencies by their logarithm: each bucket is 4 % wide, from a
// microsecond to half an hour. What is older weighs less.
type histogram struct {
	buckets [560]float64
	n       float64
}

const (
	bucketWidth = 1.04
	fading      = 0.98 // in a block, so that half is of the last 34
	enough      = 50   // requests, before a quantile is taken
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

// quantile returns the upper end of the bucket that q falls in, 0 before there is
// enough.
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
