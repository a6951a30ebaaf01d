package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The collector lets the heap grow to five times what is in use before it is
// collected. What is in use is a few MB as a rule, so this costs little memory and
// saves a good part of the collector's work. Once it is more, as with thousands of
// slow clients, the heap may grow by garbage bytes, and by as much as is in use at
// least.
const (
	mostPercent  = 400
	leastPercent = 100
	garbage      = 64 << 20
)

// tuneCollector sets the collector's pace now and after each of its rounds, unless
// GOGC says what it is.
func tuneCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(mostPercent)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	percent := mostPercent
	afterEachRound(func() {
		metrics.Read(live)
		if p := percentFor(live[0].Value.Uint64()); p != percent {
			percent = p
			debug.SetGCPercent(p)
		}
	})
}

// percentFor returns by how much the heap may grow, in steps that do not change
// with every round.
func percentFor(live uint64) int {
	p := garbage * 100 / max(live, 1)
	return int(min(max(p/50*50, leastPercent), mostPercent))
}

// afterEachRound has f called after each round of the collector, by what the
// collector does to an object that nobody uses.
func afterEachRound(f func()) {
	type unused struct{ self *unused }
	var again func(*unused)
	again = func(*unused) {
		f()
		runtime.SetFinalizer(new(unused), again)
	}
	runtime.SetFinalizer(new(unused), again)
}
