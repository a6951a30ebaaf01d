package discovery

import (
	"context"
	"slices"
	"sync"
)

// Merge returns a source that delivers the union of sources, in their order. Among
// targets with one address the first counts.
//
// It delivers after every source has had its first answer or error, so that a start
// does not look like a change, and never delivers a set that is empty only because of
// errors. It is a Refresher for its sources that are. It reports nil when the last
// failing source works again.
func Merge(sources ...Source) *Merged {
	return &Merged{sources: sources, answered: make(chan struct{})}
}

// Merged is the source of [Merge].
type Merged struct {
	sources  []Source
	answered chan struct{}
}

// Answered is closed when every source has had its first answer or error, and the sink
// has received the result.
func (m *Merged) Answered() <-chan struct{} { return m.answered }

// Known returns the union of the last good sets of the sources that are [Kept]. It is
// safe for concurrent use, before Run too.
func (m *Merged) Known() []Target {
	var sets [][]Target
	for _, s := range m.sources {
		if k, ok := s.(*Kept); ok {
			sets = append(sets, k.Last())
		}
	}
	return union(sets...)
}

// event is a report of one source: a set if update is true, else an error.
type event struct {
	source  int
	update  bool
	targets []Target
	err     error
}

// Refresh requests a query from every source that supports it.
func (m *Merged) Refresh() {
	for _, s := range m.sources {
		if r, ok := s.(Refresher); ok {
			r.Refresh()
		}
	}
}

// Run runs the sources. If one returns early, it continues with the others.
func (m *Merged) Run(ctx context.Context, sink Sink) error {
	events := make(chan event)
	send := func(e event) {
		select {
		case events <- e:
		case <-ctx.Done():
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, s := range m.sources {
		wg.Go(func() {
			err := s.Run(ctx, Sink{
				Update: func(targets []Target) { send(event{source: i, update: true, targets: targets}) },
				Report: func(err error) { send(event{source: i, err: err}) },
			})
			if err != nil {
				send(event{source: i, err: err})
			}
		})
	}
	st, waiting := newState(len(m.sources), sink), true
	for {
		if waiting && st.complete() {
			waiting = false
			close(m.answered)
		}
		select {
		case e := <-events:
			st.take(e)
		case <-ctx.Done():
			return nil
		}
	}
}

// state has the reports of a merged source's sources so far.
type state struct {
	reporter
	sets     [][]Target
	known    []bool // the source has delivered
	answered []bool // it has delivered or failed
	errs     []error
	last     []Target // the sink's set; nil before the first delivery
}

func newState(n int, sink Sink) *state {
	return &state{
		reporter: reporter{sink: sink},
		sets:     make([][]Target, n),
		known:    make([]bool, n),
		answered: make([]bool, n),
		errs:     make([]error, n),
	}
}

func (s *state) take(e event) {
	s.answered[e.source] = true
	if e.update {
		s.known[e.source], s.sets[e.source] = true, e.targets
	} else {
		s.errs[e.source] = e.err
		if e.err != nil || !slices.ContainsFunc(s.errs, func(err error) bool { return err != nil }) {
			s.report(e.err)
		}
	}
	if s.complete() && slices.Contains(s.known, true) {
		s.deliver()
	}
}

// complete reports whether every source has answered.
func (s *state) complete() bool { return !slices.Contains(s.answered, false) }

func (s *state) deliver() {
	all := union(s.sets...)
	if s.last != nil && slices.Equal(all, s.last) {
		return
	}
	if len(all) == 0 && slices.ContainsFunc(s.errs, func(err error) bool { return err != nil }) {
		return
	}
	s.last = all
	s.sink.Update(slices.Clone(all))
}
