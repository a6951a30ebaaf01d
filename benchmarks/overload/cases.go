package main

import "time"

// The initial capacity of the backends.
const (
	backends = 3
	workers  = 5
	takes    = 50 * time.Millisecond // mean, exponentially distributed
)

var capacity = backends * workers / takes.Seconds() // requests per second

// scenario is one case: a quiet time without measurement, and then phases of load.
type scenario struct {
	name    string
	says    string
	phases  []phase
	retries int  // number of immediate retries of a refused request
	greedy  bool // one client sends all load above half the capacity, and the others share that half
	must    must
}

// phase is a time of constant load.
type phase struct {
	last     time.Duration
	load     float64              // as a multiple of the initial capacity
	change   func(all []*backend) // runs at its beginning; nil = no change
	capacity float64              // capacity during it, as a multiple of the initial capacity; 0 = 1
}

func (p phase) can() float64 {
	if p.capacity == 0 {
		return capacity
	}
	return p.capacity * capacity
}

// must is goodgate's target; zero = no target.
type must struct {
	goodput  float64       // least share of the possible answers within 1 s
	p99      time.Duration // limit on the p99 of answers
	refusal  time.Duration // limit on the p99 of refusals
	recovery time.Duration // limit on the time from the end of the last but one phase until nothing fails
	polite   float64       // limit on the share of failures of the clients that are not greedy
}

const quiet = 2 * time.Second // at half the capacity, before the measurement

const second = time.Second

var inOverload = must{goodput: 0.9, p99: 500 * time.Millisecond, refusal: 100 * time.Millisecond}

var scenarios = []scenario{
	{name: "2.5x", says: "2.5 times the capacity", phases: []phase{{last: 6 * second, load: 2.5}}, must: inOverload},
	{name: "10x", says: "10 times the capacity", phases: []phase{{last: 6 * second, load: 10}}, must: inOverload},
	{
		name: "half-speed", says: "2.5 times the capacity, one backend at half its speed",
		phases: []phase{{last: 6 * second, load: 2.5, capacity: 5.0 / 6, change: func(all []*backend) { all[0].slow(2) }}}, must: inOverload,
	},
	{
		name: "halved", says: "2.5 times the capacity, of which half goes after 3 s (every backend has half its workers)",
		phases: []phase{
			{last: 3 * second, load: 2.5},
			{last: 6 * second, load: 2.5, capacity: 7.0 / 15, change: func(all []*backend) { // 2, 2 and 3 workers
				all[0].resize(2)
				all[1].resize(2)
				all[2].resize(3)
			}},
		}, must: inOverload,
	},
	{
		name: "retry-storm", says: "1.5 times the capacity by clients that ask up to 5 times more, at once, when refused",
		phases: []phase{{last: 6 * second, load: 1.5}}, retries: 5, must: must{goodput: 0.9, p99: 1000 * time.Millisecond},
	},
	{
		name: "greedy", says: "one client asks for 5 times the capacity, twenty others for half of it together",
		phases: []phase{{last: 6 * second, load: 5.5}}, greedy: true,
		must: must{goodput: 0.9, p99: 500 * time.Millisecond, refusal: 100 * time.Millisecond, polite: 0.02},
	},
	{
		name: "burst", says: "10 times the capacity for 2 s, and then half of it again",
		phases: []phase{{last: 2 * second, load: 10}, {last: 3 * second, load: 0.5}},
		must:   must{goodput: 0.9, p99: 500 * time.Millisecond, refusal: 100 * time.Millisecond, recovery: second},
	},
}
