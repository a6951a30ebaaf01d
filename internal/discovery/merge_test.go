package discovery

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a source that does what a test sends it.
type fake struct {
	do        chan func(Sink)
	refreshed int
}

func newFake() *fake { return &fake{do: make(chan func(Sink))} }

func (f *fake) Run(ctx context.Context, sink Sink) error {
	for {
		select {
		case do := <-f.do:
			do(sink)
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *fake) Refresh() { f.refreshed++ }

func (f *fake) update(hosts ...string) {
	f.do <- func(s Sink) { s.Update(at80(hosts...)) }
	synctest.Wait()
}

func (f *fake) report(err error) {
	f.do <- func(s Sink) { s.Report(err) }
	synctest.Wait()
}

func TestMergeDeliversTheUnionInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(), newFake()
		r := run(t, Merge(a, NewStatic(at80("10.0.0.9")...), b))
		b.update("10.0.0.2", "10.0.0.1")
		r.wantQuiet(t) // a has not answered yet
		a.update("10.0.0.3", "10.0.0.1")
		r.want(t, "10.0.0.3:80", "10.0.0.1:80", "10.0.0.9:80", "10.0.0.2:80")
		b.update("10.0.0.1", "10.0.0.2") // the union stays as it is
		r.wantQuiet(t)
		a.update()
		r.want(t, "10.0.0.9:80", "10.0.0.1:80", "10.0.0.2:80")
	})
}

func TestMergeKeepsTheFirstDuplicate(t *testing.T) {
	t.Parallel()
	r := run(t, Merge(
		NewStatic(Target{Addr: "10.0.0.1:80", Weight: 7}),
		NewStatic(Target{Addr: "10.0.0.1:80", Weight: 9}),
	))
	if got := <-r.updates; len(got) != 1 || got[0].Weight != 7 {
		t.Errorf("got %+v, want the one with weight 7", got)
	}
}

func TestMergeDoesNotWaitForAFailingSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := newScript(t, Resolver{Timeout: 2 * time.Second})
		slow.ask = func(ctx context.Context) ([]Target, time.Duration, error) {
			<-ctx.Done()
			return nil, 0, ctx.Err()
		}
		start := time.Now()
		r := run(t, Merge(slow, NewStatic(at80("10.0.0.1")...)))
		r.want(t, "10.0.0.1:80")
		if got := time.Since(start); got != 2*time.Second {
			t.Errorf("delivered after %v, want 2s, the timeout of the slow source", got)
		}
	})
}

func TestMergeErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		a, b := newFake(), newFake()
		r := run(t, Merge(a, b))
		want := func(err error) {
			t.Helper()
			if got := <-r.errs; got != err {
				t.Errorf("got report %v, want %v", got, err)
			}
			r.wantQuiet(t)
		}
		a.report(boom)
		want(boom)
		b.report(boom)
		want(boom) // and no update: nothing is known
		a.update()
		r.wantQuiet(t) // empty, but b may have targets
		a.report(nil)
		r.wantQuiet(t) // b still fails
		b.update("10.0.0.1")
		r.want(t, "10.0.0.1:80")
		b.report(nil)
		want(nil)
		b.report(boom)
		want(boom) // and the set stays
		b.update()
		r.wantQuiet(t)
		b.report(nil)
		if got := addresses(<-r.updates); len(got) != 0 {
			t.Errorf("got update %q, want an empty one: no source fails", got)
		}
	})
}

// broken is a source that can never deliver.
type broken struct{ err error }

func (b broken) Run(context.Context, Sink) error { return b.err }

func TestMergeContinuesWithoutABrokenSource(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	r := run(t, Merge(broken{boom}, NewStatic(at80("10.0.0.1")...)))
	if got := <-r.errs; got != boom {
		t.Errorf("got report %v, want %v", got, boom)
	}
	r.want(t, "10.0.0.1:80")
}

func TestMergeRefreshesItsSources(t *testing.T) {
	t.Parallel()
	a, b := newFake(), newFake()
	Merge(a, NewStatic(), b).Refresh()
	if a.refreshed != 1 || b.refreshed != 1 {
		t.Errorf("refreshed %d and %d times, want once each", a.refreshed, b.refreshed)
	}
}

func TestMergeReportsWhenAllHaveAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(), newFake()
		m := Merge(a, NewStatic(at80("10.0.0.9")...), b)
		answered := func() bool {
			select {
			case <-m.Answered():
				return true
			default:
				return false
			}
		}
		r := run(t, m)
		a.report(errors.New("down"))
		<-r.errs
		if answered() {
			t.Error("answered before b has")
		}
		b.update("10.0.0.1")
		r.want(t, "10.0.0.9:80", "10.0.0.1:80")
		synctest.Wait()
		if !answered() {
			t.Error("not answered after all have")
		}
		b.update("10.0.0.2") // and once is enough
		r.want(t, "10.0.0.9:80", "10.0.0.2:80")
	})
}
