package split

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/verdict"
	"github.com/goodgate/goodgate/proxy"
)

// Standing is the origin of the present weights.
type Standing string

const (
	Declared Standing = "declared" // the configuration file
	Stepped  Standing = "stepped"  // the schedule has taken a step
	Ordered  Standing = "ordered"  // an operator's order
	Guarded  Standing = "guarded"  // the guard has sent all requests back to the first pool
)

// Authors of orders, besides operators.
const (
	BySchedule = "split schedule"
	ByGuard    = "split guard"
)

// Step changes the share of one pool.
type Step struct {
	After time.Duration // since the previous step, or since the split began
	Side  int
	Share float64 // share of all; the others divide the rest in their present proportions
}

// Options are the configuration of a split.
type Options struct {
	Route    string
	Pools    []string // at least two; the others are compared with the first
	Weights  []float64
	Schedule []Step
	Guard    bool // whether failures send all requests back to the first pool
	Tolerate verdict.Options
	Enough   int           // requests of a pool before the next step of the schedule
	Grace    time.Duration // time without a comparison of latency after a change of the weights
}

// Order is a change of the weights.
type Order struct {
	Weights map[string]float64 // weight of each pool
	By      string             // ByGuard, BySchedule, or an operator
	Why     string
	At      time.Time
}

// Split is the split of a route. Create it with [New].
type Split struct {
	opts Options
	live *proxy.Weights

	requests *verdict.Collector

	mu       sync.Mutex // protects the fields below
	standing Standing
	order    Order // the present order; without weights if declared
	step     int   // number of the last step of the schedule; 0 = none
	since    time.Time
	judges   []*verdict.Judge // of all sides except the first
	sides    []sums
}

// New returns a split with the weights of the file.
func New(o Options, now time.Time) *Split {
	s := &Split{opts: o, live: proxy.NewWeights(o.Weights), requests: verdict.NewCollector(len(o.Pools), o.Tolerate)}
	s.begin()
	s.declare(now)
	return s
}

// Route returns the name of the route.
func (s *Split) Route() string { return s.opts.Route }

// Weights returns the weights for the proxy.
func (s *Split) Weights() *proxy.Weights { return s.live }

// Base describes the declaration in the file as one line. If it changes, an order
// becomes void.
func (s *Split) Base() string {
	parts := make([]string, len(s.opts.Pools))
	for i, pool := range s.opts.Pools {
		parts[i] = fmt.Sprintf("%s=%g", pool, s.opts.Weights[i])
	}
	for _, step := range s.opts.Schedule {
		parts = append(parts, fmt.Sprintf("%s:%s=%g", step.After, s.opts.Pools[step.Side], step.Share))
	}
	return strings.Join(parts, " ")
}

// begin drops the evidence for and against the pools. mu must be held, unless nobody
// else has s yet.
func (s *Split) begin() {
	s.judges = make([]*verdict.Judge, len(s.opts.Pools)-1)
	for i := range s.judges {
		s.judges[i] = verdict.NewJudge(s.opts.Tolerate, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	}
}

// declare applies the weights of the file.
func (s *Split) declare(now time.Time) {
	s.standing, s.order, s.step = Declared, Order{At: now}, 0
	s.put(s.opts.Weights, now)
}

// put sets the weights.
func (s *Split) put(weights []float64, now time.Time) {
	s.live.Set(weights)
	s.since = now
	s.sides = make([]sums, len(s.opts.Pools))
	for _, j := range s.judges {
		j.Step()
	}
}

// Apply applies an active order; nil = the weights of the file.
func (s *Split) Apply(o *Order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o == nil {
		now := time.Now()
		s.begin()
		s.declare(now)
		return nil
	}
	weights, err := s.complete(o.Weights)
	if err != nil {
		return err
	}
	s.order = *o
	switch o.By {
	case ByGuard:
		s.standing = Guarded
	case BySchedule:
		s.standing, s.step = Stepped, s.stepOf(weights)
	default:
		s.begin() // the author of an order knows the earlier results
		s.standing = Ordered
	}
	s.put(weights, o.At)
	return nil
}

// stepOf returns the last step of the schedule with these weights as its result.
func (s *Split) stepOf(weights []float64) (step int) {
	now := s.opts.Weights
	for i, next := range s.opts.Schedule {
		if now = shared(now, next.Side, next.Share); alike(now, weights) {
			step = i + 1
		}
	}
	return step
}

func alike(a, b []float64) bool {
	sumA, sumB := sum(a), sum(b)
	return slices.EqualFunc(a, b, func(x, y float64) bool { d := x/sumA - y/sumB; return -1e-6 < d && d < 1e-6 })
}

func sum(list []float64) (all float64) {
	for _, v := range list {
		all += v
	}
	return all
}

// shared returns the weights after one side has got a share of all. The others divide
// the rest in their present proportions; if they had nothing, the first of them gets
// it.
func shared(weights []float64, side int, share float64) []float64 {
	rest := sum(weights) - weights[side]
	next := make([]float64, len(weights))
	for i, w := range weights {
		switch {
		case i == side:
			next[i] = share * 100
		case rest > 0:
			next[i] = w / rest * (1 - share) * 100
		}
	}
	if first := map[bool]int{true: 1, false: 0}[side == 0]; rest == 0 {
		next[first] = (1 - share) * 100
	}
	return next
}

// ErrWeights is the error for invalid weights of an order.
var ErrWeights = errors.New("these weights are not valid")

// complete returns the weights of all sides, with 0 for a missing one.
func (s *Split) complete(named map[string]float64) ([]float64, error) {
	weights, err := s.placed(named)
	if err == nil && sum(weights) == 0 {
		err = fmt.Errorf("%w: every weight is 0, so no pool would get requests", ErrWeights)
	}
	return weights, err
}

// placed returns weights in the order of the sides.
func (s *Split) placed(named map[string]float64) ([]float64, error) {
	weights := make([]float64, len(s.opts.Pools))
	for pool, w := range named {
		i := slices.Index(s.opts.Pools, pool)
		switch {
		case i < 0:
			return nil, fmt.Errorf("%w: the split of route %s has no pool %q; it has %s", ErrWeights, s.opts.Route, pool, strings.Join(s.opts.Pools, ", "))
		case !(w >= 0 && w <= maxWeight):
			return nil, fmt.Errorf("%w: %s has %s, but a weight is from 0 to %d", ErrWeights, pool, strconv.FormatFloat(w, 'f', -1, 64), maxWeight)
		}
		weights[i] = w
	}
	return weights, nil
}

// maxWeight is the largest weight in an order.
const maxWeight = 10_000

// Full returns the weights of all pools for an order that names some. If it names all
// pools, their weights stay as they are. Otherwise each weight is the share of all in
// percent, and the other pools divide the rest in their present proportions.
func (s *Split) Full(named map[string]float64) (map[string]float64, error) {
	weights, err := s.placed(named)
	switch {
	case err != nil:
	case len(named) == 0:
		err = fmt.Errorf("%w: there are none", ErrWeights)
	case len(named) < len(s.opts.Pools):
		weights, err = s.rest(named, weights)
	default:
		weights, err = s.complete(named)
	}
	if err != nil {
		return nil, err
	}
	full := map[string]float64{}
	for i, pool := range s.opts.Pools {
		full[pool] = weights[i]
	}
	return full, nil
}

// rest divides the rest of 100 percent among the pools without a given share.
func (s *Split) rest(named map[string]float64, weights []float64) ([]float64, error) {
	left, others := 100-sum(weights), 0.0
	if left < 0 {
		return nil, fmt.Errorf("%w: unless you name every pool, the weights are percentages of all requests, and these sum to %g, which is above 100", ErrWeights, sum(weights))
	}
	present := s.live.Get()
	isNamed := func(i int) bool { _, ok := named[s.opts.Pools[i]]; return ok }
	for i := range weights {
		if !isNamed(i) {
			others += present[i]
		}
	}
	for i := range weights {
		switch {
		case isNamed(i):
		case others > 0:
			weights[i] = present[i] / others * left
		default:
			weights[i], left = left, 0 // the first of the others
		}
	}
	return weights, nil
}

// back returns the weights with all requests on the first pool.
func (s *Split) back() map[string]float64 {
	all := map[string]float64{}
	for i, pool := range s.opts.Pools {
		all[pool] = 0
		if i == 0 {
			all[pool] = 100
		}
	}
	return all
}
