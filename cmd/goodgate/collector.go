package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
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
// GOGC says what it is, and has it run when there is nothing to do. It returns what
// ends that.
func tuneCollector() (stop func()) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(mostPercent)
		percent := mostPercent
		afterEachRound(func() {
			if p := percentFor(read("/gc/heap/live:bytes")); p != percent {
				percent = p
				debug.SetGCPercent(p)
			}
		})
	}
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { collectWhenQuiet(ended) })
	return func() {
		close(ended)
		wg.Wait()
	}
}

// The system gets back what a burst took once less than quiet bytes were allocated
// in a second, if worthIt bytes have been since the collector's last round. By
// itself the collector would wait for two minutes.
const (
	quiet   = 256 << 10
	worthIt = 8 << 20
)

func collectWhenQuiet(ended <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var rounds, atRound, before uint64
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		allocated := read("/gc/heap/allocs:bytes")
		if n := read("/gc/cycles/total:gc-cycles"); n != rounds {
			rounds, atRound = n, allocated
		}
		if allocated-before < quiet && allocated-atRound > worthIt {
			debug.FreeOSMemory()
		}
		before = allocated
	}
}

// read returns one of the runtime's metrics.
func read(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
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
	type unused [1]*byte // one without pointers may be in one piece of memory with others
	var again func(*unused)
	again = func(*unused) {
		f()
		runtime.SetFinalizer(new(unused), again)
	}
	runtime.SetFinalizer(new(unused), again)
}
