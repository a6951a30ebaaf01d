package main

import (
	"cmp"
	"os/exec"
	"slices"
	"time"
)

// scenario is one case of the campaign.
type scenario struct {
	name     string
	says     string
	of       string // the case of which this is a quiet form; "" = none
	backends int    // initial backends of the pool; 0 = 3
	named    bool   // the proxy knows the backends by name; as many more exist, which are not in its first answer
	mix      mix
	traits   traits
	wire     wire
	times    int           // factor for the number of requests, for a small share; 0 = 1
	pace     pace          // zero fields are from the command line
	patience time.Duration // timeout of clients; 0 = clientMax
	bare     bool          // goodgate's only settings are a listener and upstreams
	calm     time.Duration // delay of all steps
	steps    schedule
	must     must
	quiet    quietForm
}

// size returns the initial number of backends.
func (s *scenario) size() int { return cmp.Or(s.backends, 3) }

// total returns the number of backends.
func (s *scenario) total() int {
	if s.named {
		return 2 * s.size()
	}
	return s.size()
}

// lacks returns the reason why the scenario cannot run against a peer, "" if it can.
// Errors of the network appear when it is created.
func (s *scenario) lacks(p peer) string {
	if s.bare && p.name != subject {
		return "it is about goodgate's defaults"
	}
	if s.traits.speaks == h2c && !p.h2 {
		return "no HTTP/2 to backends"
	}
	if _, err := exec.LookPath("node"); s.traits.node && err != nil {
		return "needs Node.js"
	}
	return ""
}

var (
	few     = mix{posts: 0.2}
	half    = mix{posts: 0.5}
	farAway = wire{delay: 3 * time.Millisecond}
	lossy   = wire{delay: time.Millisecond, loss: 0.02}
)

// cases returns the campaign's cases, in their normal or quiet form.
func cases(quiet bool) []scenario {
	if quiet {
		return quietCases()
	}
	return slices.Concat(scenarios, innocents)
}

// scenarios are the cases with faulty backends.
var scenarios = []scenario{
	{
		name: "refused", says: "one refuses connections for 3 s", mix: few,
		steps: during(3*second, 0, become(refuse), become(healthy)), quiet: quietForm{sizes: some},
	},
	{name: "silent", says: "one accepts connections and never answers", steps: one(silent), must: must{p99: second}},
	{
		name: "frozen", says: "one is stopped for 3 s (SIGSTOP)", must: must{p99: second},
		steps: during(3*second, 0, (*backend).freeze, (*backend).thaw),
		quiet: quietForm{steps: only((*backend).freeze, (*backend).thaw)},
	},
	{
		name: "restart", says: "all refuse for 1.5 s", mix: few, steps: restart(), must: must{p99: 1800 * time.Millisecond},
		quiet: quietForm{sizes: some, must: must{once: true, slowest: 1800 * time.Millisecond}},
	},
	{
		name: "restart-lone", says: "the only one refuses for 1.5 s", mix: few, backends: 1, steps: restart(),
		must:  must{p99: 1800 * time.Millisecond},
		quiet: quietForm{sizes: []int{1}, must: must{once: true, slowest: 1800 * time.Millisecond}, lone: true},
	},
	{
		name: "rolling", says: "each in turn ends gracefully and is down for 1 s", mix: few,
		steps: rolling(refuse), quiet: quietForm{lone: true},
	},
	{
		name: "rolling-abrupt", says: "each in turn closes its idle connections without notice and is down for 1 s", mix: few,
		steps: rolling(vanish), must: atMostKilled, quiet: quietForm{must: orders, lone: true},
	},
	{
		name: "killed", says: "one is killed (SIGKILL) while it handles requests of 50 ms, and is back after 2 s", mix: few,
		traits: traits{work: 50 * time.Millisecond}, steps: killOne(), must: atMostKilled, quiet: quietForm{must: orders},
	},
	{
		name: "killed-node", says: "one of three Node.js applications is killed while it handles requests of 50 ms, and is back after 2 s", mix: few,
		traits: traits{work: 50 * time.Millisecond, node: true}, steps: killOne(), must: atMostKilled,
		quiet: quietForm{must: orders, speak: []protocol{http1}},
	},
	{name: "bad-gateway", says: "one answers 502, and its health check passes", steps: one(badGateway)},
	{name: "unavailable", says: "one answers 503, and its health check passes", steps: one(unavailable)},
	{
		name: "flaky", says: "every backend answers 503 to one request in five", steps: all(flaky),
		times: 3, must: must{failed: 0.001}, quiet: quietForm{lone: true},
	},
	{
		name: "idle-close", says: "all close connections that were idle for 3 ms", mix: half,
		traits: traits{idle: 3 * time.Millisecond}, quiet: quietForm{lone: true},
	},
	{
		name: "idle-close-far", says: "all close connections that were idle for 3 ms, with a network delay of 3 ms each way", mix: half,
		traits: traits{idle: 3 * time.Millisecond}, wire: farAway,
		// Over HTTP/2 a connection is idle before its first request, so it would be
		// closed before that.
		quiet: quietForm{speak: overTCP, lone: true},
	},
	{name: "silent-far", says: "one stops answering, with a network delay of 3 ms each way", steps: one(silent), wire: farAway, must: must{p99: second}},
	{
		name: "lossy", says: "the network loses 2 % of all packets, with a delay of 1 ms, each way", mix: few, wire: lossy,
		// A lost acknowledgement is evidence against an upstream, so a GET may be sent
		// twice.
		quiet: quietForm{must: must{slowest: calmMax}, lone: true},
	},
	{name: "cut-body", says: "one cuts a 2 kB response at 700 bytes", steps: one(cutBody)},
	{
		name: "cut-large", says: "one cuts a file of 1 MiB, with an entity tag and ranges, at 300 KiB", mix: mix{files: 0.05},
		steps: one(cutFile), must: must{p99: second}, quiet: quietForm{mix: mix{files: 1}},
	},
	{name: "reset", says: "one resets instead of responding", steps: one(reset)},
	{
		name: "reset-header", says: "one resets within the response header",
		steps: one(resetHeader), quiet: quietForm{speak: overTCP},
	},
	{name: "reset-body", says: "one resets within the response body", steps: one(resetBody)},
	{name: "garbage", says: "one sends bytes that are not HTTP", steps: one(garbage), quiet: quietForm{speak: overTCP}},
	{
		name: "slow", says: "one takes 2 s", steps: one(slow), must: must{late: 0.003, p99: second},
		quiet: quietForm{must: must{once: true, late: 0.25, slowest: slowFor + calmMax/3}},
	},
	{
		name: "sick-health", says: "every health endpoint answers 500, and the application works",
		steps: all(sickHealth), quiet: quietForm{lone: true},
	},
	{
		name: "post-hang-up", says: "one closes the connection after it has read a POST", mix: half,
		steps: one(hangUp), must: must{mayFail: true}, quiet: quietForm{must: orders},
	},
	{
		name: "early-413", says: "backends answer uploads of 1 to 4 MiB with 413 at once, and close the connection",
		mix:   mix{uploads: 0.05, path: refusedPath},
		quiet: quietForm{mix: mix{uploads: 0.5, path: refusedPath}, speak: overTCP, lone: true},
	},
	{
		name: "early-413-reset", says: "backends answer uploads of 1 to 4 MiB with 413 at once, and reset the connection",
		mix:   mix{uploads: 0.05, path: slammedPath},
		quiet: quietForm{mix: mix{uploads: 0.5, path: slammedPath}, speak: overTCP, lone: true},
	},
	{
		name: "dns-move", says: "the backends' name gets other addresses, and the old backends are gone", mix: few,
		named: true, steps: move, must: must{p99: 2 * second},
		quiet: quietForm{must: must{once: true, slowest: 2 * second}, lone: true},
	},
	{
		name: "goaway", says: "HTTP/2 backends end the connection (GOAWAY) with one answer in twenty", mix: half,
		traits: traits{speaks: h2c}, steps: all(goAway), quiet: quietForm{speak: []protocol{h2c}, lone: true},
	},
	{
		name: "goaway-rolling", says: "each HTTP/2 backend in turn sends GOAWAY and is down for 1 s", mix: few,
		traits: traits{speaks: h2c}, steps: rolling(refuse), quiet: quietForm{speak: []protocol{h2c}, lone: true},
	},
}

// atMostKilled allows failures of the POSTs that were on a backend, or on their way to
// it, when it was killed. They may have been executed, so no proxy may send them again.
var atMostKilled = must{failed: 0.005}
