package main

import (
	"cmp"
	"time"
)

// scenario is one case of the campaign.
type scenario struct {
	name     string
	says     string
	backends int     // 0 = 3
	posts    float64 // share of POST
	traits   traits
	steps    []step
	must     must
	skipped  string // why it cannot be run; "" = it can
}

// size returns the number of backends.
func (s *scenario) size() int { return cmp.Or(s.backends, 3) }

// step is a change of the backends at a moment after the load began.
type step struct {
	at  time.Duration
	who int // number of the backend, or everyone
	do  action
}

// action changes a backend.
type action func(*backend) error

const everyone = -1

// must is what goodgate has to reach. A duplicated POST is a miss in any case.
type must struct {
	failed  float64       // largest share of failed requests; 0 = none may fail
	late    float64       // largest share of requests over 500 ms; 0 = not looked at
	p99     time.Duration // 0 = not looked at
	mayFail bool          // failures are not looked at
}

const second = time.Second

// one and all are the steps of most cases: the fault begins after 1 s and stays.
func one(f fault) []step { return []step{{second, 0, become(f)}} }
func all(f fault) []step { return []step{{second, everyone, become(f)}} }

func restart() []step {
	return []step{{second, everyone, become(refuse)}, {2500 * time.Millisecond, everyone, become(healthy)}}
}

// scenarios is the campaign.
var scenarios = []scenario{
	{
		name: "refused", says: "one refuses connections for 3 s", posts: 0.2,
		steps: []step{{second, 0, become(refuse)}, {4 * second, 0, become(healthy)}},
	},
	{name: "silent", says: "one accepts and never answers", steps: one(silent), must: must{p99: second}},
	{
		name: "frozen", says: "one is stopped for 3 s (SIGSTOP)", must: must{p99: second},
		steps: []step{{second, 0, (*backend).freeze}, {4 * second, 0, (*backend).thaw}},
	},
	{name: "restart", says: "all refuse for 1.5 s", posts: 0.2, steps: restart(), must: must{p99: 2 * second}},
	{name: "restart-lone", says: "the only one refuses for 1.5 s", posts: 0.2, backends: 1, steps: restart(), must: must{p99: 2 * second}},
	{
		name: "rolling", says: "each in turn is down for 1 s", posts: 0.2,
		steps: []step{
			{second, 0, become(refuse)}, {2 * second, 0, become(healthy)},
			{2500 * time.Millisecond, 1, become(refuse)}, {3500 * time.Millisecond, 1, become(healthy)},
			{4 * second, 2, become(refuse)}, {5 * second, 2, become(healthy)},
		},
	},
	{
		name: "killed", says: "one is killed (SIGKILL) with requests of 50 ms on it, and back after 2 s", posts: 0.2,
		traits: traits{work: 50 * time.Millisecond},
		steps:  []step{{second, 0, (*backend).kill}, {3 * second, 0, (*backend).start}},
		must:   must{failed: 0.005}, // the POSTs that were on it: nobody may send them again
	},
	{name: "bad-gateway", says: "one answers 502, its health check is fine", steps: one(badGateway)},
	{name: "flaky", says: "every backend answers 503 to one request in five", steps: all(flaky), must: must{failed: 0.001}},
	{name: "idle-close", says: "all close connections unused for 3 ms", posts: 0.5, traits: traits{idle: 3 * time.Millisecond}},
	{name: "cut-body", says: "one cuts a 2 kB response at 700 bytes", steps: one(cutBody)},
	{name: "reset", says: "one resets instead of responding", steps: one(reset)},
	{name: "reset-header", says: "one resets within the response header", steps: one(resetHeader)},
	{name: "garbage", says: "one answers what is no HTTP", steps: one(garbage)},
	{name: "slow", says: "one takes 2 s", steps: one(slow), must: must{late: 0.003}},
	{name: "sick-health", says: "every health check answers 500, the application is fine", steps: all(sickHealth)},
	{name: "post-hang-up", says: "one closes after it has read a POST", posts: 0.5, steps: one(hangUp), must: must{mayFail: true}},
	{
		name: "idle-close-far", says: "all close connections unused for 3 ms, 3 ms of network away", posts: 0.5,
		skipped: "needs network delay",
	},
	{name: "silent-far", says: "one stops answering, 3 ms of network away", skipped: "needs network delay"},
}
