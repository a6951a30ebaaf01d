package discovery

import (
	"context"
	"slices"
)

type static []Target

// NewStatic returns a source of fixed targets.
func NewStatic(targets ...Target) Source { return static(union(targets)) }

// Run delivers once and waits for ctx to end.
func (s static) Run(ctx context.Context, sink Sink) error {
	sink.Update(slices.Clone(s))
	<-ctx.Done()
	return nil
}
