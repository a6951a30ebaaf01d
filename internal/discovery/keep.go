package discovery

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Kept is a source that remembers its last set and its state, so that another source
// can continue from them.
type Kept struct {
	source Source

	mu    sync.Mutex
	last  []Target // nil = none is known
	state State
}

// State is the state of a source.
type State struct {
	Looked   time.Time // time of the last success; zero = none
	Failing  time.Time // begin of the failures; zero = the last query succeeded
	Error    string    // cause of the failures
	Failures int       // failed queries since the source began
	Targets  int       // targets in the last good set
	LeftOut  []LeftOut // candidates left out of the last good set, the first 100
	Omitted  int       // number of further ones left out
}

// maxLeftOut bounds the candidates in a state.
const maxLeftOut = 100

// Keep returns a source that delivers the targets of source. If from has delivered a
// set, it begins with that set, so that a failed lookup after a reload does not empty
// the pool. from may be nil. It knows fixed targets at once.
func Keep(source Source, from *Kept) *Kept {
	k := &Kept{source: source}
	if fixed, ok := source.(static); ok {
		k.last, k.state.Targets = fixed, len(fixed)
	} else if from != nil {
		from.mu.Lock()
		defer from.mu.Unlock()
		k.last, k.state = from.last, from.state
	}
	return k
}

// Begin makes the source begin with a set from elsewhere, such as an earlier process,
// unless it has one. It must be called before Run.
func (k *Kept) Begin(set []Target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil && len(set) > 0 {
		k.last, k.state.Targets = set, len(set)
	}
}

// State returns the state of the source. It is safe for concurrent use.
func (k *Kept) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Last returns the last good set, nil if none is known. It is shared and must not
// be changed. It is safe for concurrent use.
func (k *Kept) Last() []Target {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// Run delivers the initial set, and then runs the source.
func (k *Kept) Run(ctx context.Context, sink Sink) error {
	_, fixed := k.source.(static) // delivers the same
	if last := k.Last(); last != nil && !fixed {
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

// Refresh requests a query from the source, if it supports that.
func (k *Kept) Refresh() {
	if r, ok := k.source.(Refresher); ok {
		r.Refresh()
	}
}
