package discovery

import (
	"context"
	"slices"
	"sync/atomic"
)

// Kept is a source that remembers what it delivered last, so that another can
// begin where it ended.
type Kept struct {
	source Source
	last   atomic.Pointer[[]Target] // nil before the first delivery
}

// Keep returns a source that delivers what source finds. With a from that has
// delivered, it begins with that: a look-up that fails after a reload empties
// nothing that was found before it. A nil from is none.
func Keep(source Source, from *Kept) *Kept {
	k := &Kept{source: source}
	if from != nil {
		k.last.Store(from.last.Load())
	}
	return k
}

// Run is the source's, after the set that was carried over.
func (k *Kept) Run(ctx context.Context, sink Sink) error {
	if last := k.last.Load(); last != nil {
		sink.Update(slices.Clone(*last))
	}
	return k.source.Run(ctx, Sink{
		Update: func(targets []Target) {
			k.last.Store(new(slices.Clone(targets)))
			sink.Update(targets)
		},
		Report: sink.Report,
	})
}

// Refresh asks the source to look again, if it can.
func (k *Kept) Refresh() {
	if r, ok := k.source.(Refresher); ok {
		r.Refresh()
	}
}
