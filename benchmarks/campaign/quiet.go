package main

import (
	"fmt"
	"slices"
	"time"
)

// quietForm has the differences of a case's quiet forms from the usual ones: a request
// per second, a fault after 3 s, and no settings except a listener and upstreams.
type quietForm struct {
	mix   mix        // mix of requests; zero = the case's
	steps schedule   // nil = the case's
	sizes []int      // sizes of pools; nil = 1, 2 and 5
	speak []protocol // protocols of upstreams; nil = all
	must  must       // zero = calm
	lone  bool       // must also applies to a pool of one; otherwise such a pool is judged after the end of its fault
}

const (
	calmMax  = 1500 * time.Millisecond // limit for the slowest request
	quietFor = 12 * second             // duration; doubled for a pool of 5, so that a faulty one gets its turn
	quietLag = 2 * second              // additional delay of faults

	// Requests are sent just before the full second, when faults begin. So a fault hits
	// a request in flight if requests take long enough.
	quietFirst = second - 20*time.Millisecond

	quietPatience = 35 * second // longer than any timeout of goodgate
	recovery      = second      // time from the end of a lone upstream's fault until requests count
)

var (
	calm   = must{once: true, slowest: calmMax}
	orders = must{once: true, slowest: calmMax, orders: true}

	some    = []int{2, 5}
	overTCP = []protocol{http1, https} // for faults of connections
)

// quietOnly are cases without another form.
var quietOnly = []scenario{
	{
		name: "idle-hour", says: "during a pause the network forgets all connections, and then silently drops their packets",
		wire: wire{drops: true}, pace: pace{pause: span{4 * second, 9 * second}},
		steps: func(int) []step { return []step{{3 * second, everyone, (*backend).forget}} },
		quiet: quietForm{lone: true},
	},
	{
		name: "dropped", says: "the network drops all packets to and from one upstream",
		wire: wire{drops: true}, steps: only((*backend).drop, (*backend).undrop),
	},
	{
		name: "report", says: "one request in six takes 20 s, on healthy upstreams",
		mix:   mix{every: 6, other: longGet(20 * second)},
		quiet: quietForm{lone: true},
	},
	{
		name: "long-poll", says: "each request takes 8 s, on healthy upstreams",
		mix:   mix{every: 1, other: longGet(8 * second)},
		quiet: quietForm{lone: true},
	},
	{
		name: "queue", says: "every other GET waits 1 s for a message and takes it from a queue: if it is executed twice, a message is lost",
		mix:   mix{every: 2, other: longGet(second)},
		quiet: quietForm{lone: true},
	},
	{
		name: "two-frozen", says: "two of five are stopped (SIGSTOP)", steps: freezeTwo, quiet: quietForm{sizes: []int{5}},
	},
}

// quietCases returns the quiet forms of all cases.
func quietCases() (forms []scenario) {
	for _, s := range slices.Concat(scenarios, quietOnly) {
		for _, size := range orElse(s.quiet.sizes, []int{1, 2, 5}) {
			for _, speaks := range orElse(s.quiet.speak, []protocol{http1, h2c, https}) {
				forms = append(forms, s.inQuiet(size, speaks))
			}
		}
	}
	return forms
}

func orElse[T any](given, otherwise []T) []T {
	if given == nil {
		return otherwise
	}
	return given
}

// inQuiet returns the quiet form for a pool size and a protocol.
func (s scenario) inQuiet(size int, speaks protocol) scenario {
	q := s.quiet
	s.of = s.name
	s.name = fmt.Sprintf("%s-%d", s.name, size)
	if speaks != http1 {
		s.name += "-" + string(speaks)
	}
	s.backends, s.traits.speaks = size, speaks
	s.bare, s.times, s.calm = true, 1, quietLag
	s.pace.rate, s.pace.first, s.pace.last = 1, quietFirst, quietFor
	if size > 2 {
		s.pace.last *= 2
	}
	s.patience = quietPatience
	if q.mix != (mix{}) {
		s.mix = q.mix
	}
	if q.steps != nil {
		s.steps = q.steps
	}
	s.must = q.must
	if s.must == (must{}) {
		s.must = calm
	}
	if size == 1 && !q.lone {
		steps := s.at()
		s.must.from = steps[len(steps)-1].at + recovery
	}
	return s
}
