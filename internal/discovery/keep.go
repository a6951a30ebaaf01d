package discovery

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Kept is a source that remembers what it delivered last, so that another can
// begin where it ended, and how it does.
type Kept struct {
	source Source

	mu    sync.Mutex
	last  []Target // nil before the first delivery
	state State
}

// State is how a source does.
type State struct {
	Looked   time.Time // the last look that worked; zero = none has
	Failing  time.Time // since when looks fail; zero = the last one worked
	Error    string    // why
	Failures int       // looks that failed, since the source began
	Targets  int       // of the last good set
	LeftOut  []LeftOut // what the last good look found and left out, the first 100
	Omitted  int       // how many more it left out
}

// maxLeftOut is how many candidates a state remembers.
const maxLeftOut = 100

// Keep returns a source that delivers what source finds. With a from that has
// delivered, it begins with that: a look-up that fails after a reload empties
// nothing that was found before it. A nil from is none.
func Keep(source Source, from *Kept) *Kept {
	k := &Kept{source: source}
	if from != nil {
		from.mu.Lock()
		defer from.mu.Unlock()
		k.last, k.state = from.last, from.state
	}
	return k
}

// Begin makes the source begin with a set that was found elsewhere, such as by an earlier
// process, unless it has one. It is called before Run.
func (k *Kept) Begin(set []Target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil && len(set) > 0 {
		k.last, k.state.Targets = set, len(set)
	}
}

// State returns how the source does. It is safe for concurrent use.
func (k *Kept) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Last returns the set that was delivered last, nil before the first. It is shared and
// must not be changed. It is safe for concurrent use.
func (k *Kept) Last() []Target {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// Run is the source's, after the set that was carried over.
func (k *Kept) Run(ctx context.Context, sink Sink) error {
	if last := k.Last(); last != nil {
		sink.Update(slices.Clone(last))
	}
	return k.source.Run(ctx, Sink{
		Update: func(targets []Target) {
			k.updated(targets)
			sink.Update(targets)
		},
		Report: func(err error) {
			k.reported(err)
			sink.Report(err)
		},
		Looked: func(leftOut []LeftOut, unchanged bool) {
			k.looked(leftOut, unchanged)
			sink.looked(leftOut, unchanged)
		},
	})
}

func (k *Kept) updated(targets []Target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = slices.Clone(targets)
	k.state.Targets, k.state.Looked = len(targets), time.Now()
}

func (k *Kept) reported(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.state.Failing, k.state.Error = time.Time{}, ""
		return
	}
	if k.state.Failing.IsZero() {
		k.state.Failing = time.Now()
	}
	k.state.Error = err.Error()
	k.state.Failures++
}

func (k *Kept) looked(leftOut []LeftOut, unchanged bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Looked = time.Now()
	if !unchanged {
		n := min(len(leftOut), maxLeftOut)
		k.state.LeftOut, k.state.Omitted = leftOut[:n:n], len(leftOut)-n
	}
}

// Refresh asks the source to look again, if it can.
func (k *Kept) Refresh() {
	if r, ok := k.source.(Refresher); ok {
		r.Refresh()
	}
}
