package main

import (
	"cmp"
	"os/exec"
	"time"
)

// scenario is one case of the campaign.
type scenario struct {
	name     string
	says     string
	backends int // 0 = 3
	named    int // if positive, backends go by a name, and so many are in its answer at first
	mix      mix
	traits   traits
	wire     wire
	attempts int // that goodgate needs for its target; 0 = its default
	times    int // as many requests as usual, for a share that is small; 0 = 1
	steps    []step
	must     must
}

// size returns the number of backends.
func (s *scenario) size() int { return cmp.Or(s.backends, 3) }

// lacks tells why the scenario cannot be run against a peer, "" if it can. What
// the network lacks shows when it is made.
func (s *scenario) lacks(p peer) string {
	if s.traits.h2 && !p.h2 {
		return "no HTTP/2 to backends"
	}
	if _, err := exec.LookPath("node"); s.traits.node && err != nil {
		return "needs Node.js"
	}
	return ""
}

// step is a change of the backends at a moment after the load began.
type step struct {
	at  time.Duration
	who int // number of the backend, or everyone
	do  action
}

// action changes a backend.
type action func(*backend) error

const everyone = -1

const second = time.Second

// one and all are the steps of most cases: the fault begins after 1 s and stays.
func one(f fault) []step { return []step{{second, 0, become(f)}} }
func all(f fault) []step { return []step{{second, everyone, become(f)}} }

func restart() []step {
	return []step{{second, everyone, become(refuse)}, {2500 * time.Millisecond, everyone, become(healthy)}}
}

// rolling takes each backend down for 1 s, in the way of a fault.
func rolling(f fault) []step {
	return []step{
		{second, 0, become(f)}, {2 * second, 0, become(healthy)},
		{2500 * time.Millisecond, 1, become(f)}, {3500 * time.Millisecond, 1, become(healthy)},
		{4 * second, 2, become(f)}, {5 * second, 2, become(healthy)},
	}
}

func killOne() []step {
	return []step{{second, 0, (*backend).kill}, {3 * second, 0, (*backend).start}}
}

// move puts the second half of the backends in the place of the first.
func move() (steps []step) {
	for i := range 3 {
		steps = append(steps, step{second, 3 + i, (*backend).join}, step{second, i, (*backend).leave})
	}
	for i := range 3 {
		steps = append(steps, step{second, i, become(refuse)})
	}
	return steps
}

var (
	few     = mix{posts: 0.2}
	half    = mix{posts: 0.5}
	farAway = wire{delay: 3 * time.Millisecond}
	lossy   = wire{delay: time.Millisecond, loss: 0.02}
)

// scenarios is the campaign.
var scenarios = []scenario{
	{
		name: "refused", says: "one refuses connections for 3 s", mix: few,
		steps: []step{{second, 0, become(refuse)}, {4 * second, 0, become(healthy)}},
	},
	{name: "silent", says: "one accepts and never answers", steps: one(silent), must: must{p99: second}},
	{
		name: "frozen", says: "one is stopped for 3 s (SIGSTOP)", must: must{p99: second},
		steps: []step{{second, 0, (*backend).freeze}, {4 * second, 0, (*backend).thaw}},
	},
	{name: "restart", says: "all refuse for 1.5 s", mix: few, steps: restart(), must: must{p99: 1800 * time.Millisecond}},
	{
		name: "restart-lone", says: "the only one refuses for 1.5 s", mix: few, backends: 1, steps: restart(),
		must: must{p99: 1800 * time.Millisecond},
	},
	{name: "rolling", says: "each in turn ends gracefully and is down for 1 s", mix: few, steps: rolling(refuse)},
	{
		name: "rolling-abrupt", says: "each in turn is down for 1 s, and closes its unused connections without a word before", mix: few,
		steps: rolling(vanish), must: atMostKilled,
	},
	{
		name: "killed", says: "one is killed (SIGKILL) with requests of 50 ms on it, and back after 2 s", mix: few,
		traits: traits{work: 50 * time.Millisecond}, steps: killOne(), must: atMostKilled,
	},
	{
		name: "killed-node", says: "one of three Node.js applications is killed with requests of 50 ms on it, and back after 2 s", mix: few,
		traits: traits{work: 50 * time.Millisecond, node: true}, steps: killOne(), must: atMostKilled,
	},
	{name: "bad-gateway", says: "one answers 502, its health check is fine", steps: one(badGateway)},
	{name: "unavailable", says: "one answers 503, its health check is fine", steps: one(unavailable)},
	{
		name: "flaky", says: "every backend answers 503 to one request in five", steps: all(flaky),
		times: 3, must: must{failed: 0.001}, // five tries leave 0.03 %
	},
	{name: "idle-close", says: "all close connections unused for 3 ms", mix: half, traits: traits{idle: 3 * time.Millisecond}},
	{
		name: "idle-close-far", says: "all close connections unused for 3 ms, 3 ms of network away", mix: half,
		traits: traits{idle: 3 * time.Millisecond}, wire: farAway,
	},
	{name: "silent-far", says: "one stops answering, 3 ms of network away", steps: one(silent), wire: farAway, must: must{p99: second}},
	{name: "lossy", says: "the network loses 2 % of all packets, each way, 1 ms away", mix: few, wire: lossy},
	{name: "cut-body", says: "one cuts a 2 kB response at 700 bytes", steps: one(cutBody)},
	{
		name: "cut-large", says: "one cuts a file of 1 MiB, with an entity tag and ranges, at 300 KiB", mix: mix{files: 0.05},
		steps: one(cutFile), must: must{p99: second},
	},
	{name: "reset", says: "one resets instead of responding", steps: one(reset)},
	{name: "reset-header", says: "one resets within the response header", steps: one(resetHeader)},
	{name: "reset-body", says: "one resets within the response body", steps: one(resetBody)},
	{name: "garbage", says: "one answers what is no HTTP", steps: one(garbage)},
	{name: "slow", says: "one takes 2 s", steps: one(slow), must: must{late: 0.003, p99: second}},
	{name: "sick-health", says: "every health check answers 500, the application is fine", steps: all(sickHealth)},
	{name: "post-hang-up", says: "one closes after it has read a POST", mix: half, steps: one(hangUp), must: must{mayFail: true}},
	{
		name: "early-413", says: "uploads of 1 to 4 MiB are answered with 413 at once, and the connection is closed",
		mix: mix{uploads: 0.05, path: refusedPath},
	},
	{
		name: "early-413-reset", says: "uploads of 1 to 4 MiB are answered with 413 at once, and the connection is reset",
		mix: mix{uploads: 0.05, path: slammedPath},
	},
	{
		name: "dns-move", says: "the backends' name moves to others, and those it stood for are gone", mix: few,
		backends: 6, named: 3, steps: move(), must: must{p99: 2 * second},
	},
	{
		name: "goaway", says: "HTTP/2 backends end the connection (GOAWAY) with one answer in twenty", mix: half,
		traits: traits{h2: true}, steps: all(goAway),
	},
	{
		name: "goaway-rolling", says: "each HTTP/2 backend in turn says GOAWAY and is down for 1 s", mix: few,
		traits: traits{h2: true}, steps: rolling(refuse),
	},
}

// atMostKilled allows the POSTs that were on a backend when it went, or on their
// way to it, to fail: they may have been executed, so nobody may send them again.
var atMostKilled = must{failed: 0.005}
