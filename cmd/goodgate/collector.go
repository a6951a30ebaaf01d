package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// Pace of the garbage collector. The heap may grow to five times the memory in use. That
// is usually a few MB, so this costs little memory and saves much of the collector's
// work. When more is in use, for example with thousands of slow clients, the heap may
// grow by garbage bytes, and at least by as much as is in use.
const (
	mostPercent  = 400
	leastPercent = 100
	garbage      = 64 << 20
)

// tuneCollector sets the collector's pace now and after each of its rounds, unless GOGC
// is set, and runs the collector when goodgate is idle. The returned function ends that.
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

// The process returns a burst's memory to the system after a second with less than quiet
// bytes of allocations, if worthIt bytes were allocated since the collector's last round.
// Without this, the collector would wait for two minutes.
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

// percentFor returns the growth of the heap in percent, in steps, so that it does not
// change with every round.
func percentFor(live uint64) int {
	p := garbage * 100 / max(live, 1)
	return int(min(max(p/50*50, leastPercent), mostPercent))
}

// afterEachRound calls f after each round of the collector, through the finalizer of an
// unused object.
func afterEachRound(f func()) {
	type unused [1]*byte // without a pointer it could share its memory block with other objects
	var again func(*unused)
	again = func(*unused) {
		f()
		runtime.SetFinalizer(new(unused), again)
	}
	runtime.SetFinalizer(new(unused), again)
}
