package discovery

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
)

// fixedSource delivers a set, or fails, and ends.
type fixedSource struct {
	targets []Target
	err     error
}

func (s fixedSource) Run(_ context.Context, sink Sink) error {
	if s.err != nil {
		sink.Report(s.err)
		return nil
	}
	sink.Update(s.targets)
	return nil
}

func TestKeepPreservesTheLastGoodSet(t *testing.T) {
	one, two := []Target{{Addr: "a:1"}}, []Target{{Addr: "b:1"}}
	var got [][]Target
	sink := Sink{Update: func(t []Target) { got = append(got, t) }, Report: func(error) {}}

	first := Keep(fixedSource{targets: one}, nil)
	first.Run(t.Context(), sink)
	failing := Keep(fixedSource{err: errors.New("no answer")}, first)
	failing.Run(t.Context(), sink)
	Keep(fixedSource{targets: two}, failing).Run(t.Context(), sink)

	if want := [][]Target{one, one, one, two}; !reflect.DeepEqual(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
}

// Fixed targets are known before the source runs, and are delivered once.
func TestKeepKnowsFixedTargets(t *testing.T) {
	unknown := Keep(fixedSource{err: errors.New("no answer")}, nil)
	m := Merge(Keep(NewStatic(at80("10.0.0.1")...), Keep(NewStatic(at80("10.0.0.9")...), nil)), unknown)
	if got := addresses(m.Known()); !slices.Equal(got, []string{"10.0.0.1:80"}) {
		t.Errorf("known are %q, want 10.0.0.1:80", got)
	}
	deliveries := 0
	Keep(NewStatic(at80("10.0.0.1")...), nil).Run(t.Context(), Sink{Update: func([]Target) { deliveries++ }})
	if deliveries != 1 {
		t.Errorf("delivered %d times, want once", deliveries)
	}
}
