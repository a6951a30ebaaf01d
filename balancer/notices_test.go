package balancer

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// slowNotify blocks in its first call until it is released. It records the changes of all
// calls in the order in which the calls end.
type slowNotify struct {
	entered, release chan struct{}
	once             sync.Once

	mu  sync.Mutex // protects got
	got []bool
}

func newSlowNotify() *slowNotify {
	return &slowNotify{entered: make(chan struct{}), release: make(chan struct{})}
}

func (s *slowNotify) notify(c Change) {
	s.once.Do(func() {
		close(s.entered)
		<-s.release
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, c.Available)
}

// during drains an upstream, runs do while Notify is busy with that, and returns all
// changes that Notify got.
func (s *slowNotify) during(u *Upstream, do func()) []bool {
	var wg sync.WaitGroup
	wg.Go(func() { u.SetOperator(Drain) })
	<-s.entered
	do()
	close(s.release)
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// Notify gets changes in order, however long one call takes.
func TestNotifyInOrder(t *testing.T) {
	t.Parallel()
	s := newSlowNotify()
	u := newTestPool(t, Options{Notify: s.notify}, specsOf(2)...).Members()[0].Upstream
	got := s.during(u, func() {
		for range 5 {
			u.SetOperator(Ready)
			u.SetOperator(Off)
		}
		u.SetOperator(Ready)
	})
	want := []bool{false, true, false, true, false, true, false, true, false, true, false, true}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The queue of changes is bounded, and the last reported availability is still right.
func TestNotifyIsBounded(t *testing.T) {
	t.Parallel()
	s := newSlowNotify()
	p := newTestPool(t, Options{Notify: s.notify}, specsOf(2)...)
	u := p.Members()[0].Upstream
	got := s.during(u, func() {
		for range 3 * maxNotices {
			u.SetOperator(Ready)
			u.SetOperator(Drain)
		}
		u.SetOperator(Ready)
		if n := len(p.notices.list); n > maxNotices {
			t.Errorf("%d changes wait, want %d at most", n, maxNotices)
		}
	})
	for i, available := range got {
		if available != (i%2 == 1) {
			t.Fatalf("change %d says available=%t: it says what the one before it does", i, available)
		}
	}
	if n := len(got); n < 2 || !got[n-1] {
		t.Errorf("the last of %d changes says that the upstream is not available, and it is", n)
	}
}

// Under concurrent changes of availability, the changes of each upstream alternate, and
// the last one is its final availability.
func TestNotifyConcurrently(t *testing.T) {
	t.Parallel()
	last := map[*Upstream]bool{} // one call at a time
	p := newTestPool(t, Options{Notify: func(c Change) {
		if was, ok := last[c.Upstream]; ok && was == c.Available {
			t.Errorf("%s: available=%t twice", c.Upstream.Addr(), was)
		}
		last[c.Upstream] = c.Available
	}}, specsOf(3)...)
	var wg sync.WaitGroup
	for g := range 6 {
		u := p.Members()[g%3].Upstream
		wg.Go(func() {
			for range 500 {
				u.SetOperator(Drain)
				u.SetOperator(Ready)
			}
		})
	}
	wg.Go(func() {
		for i := range 100 {
			p.Configure(Options{SlowStart: time.Duration(i)})
			p.Configure(Options{})
		}
	})
	wg.Wait()
}

// A callback may change the availability that it gets reported, and may panic. Neither
// keeps the next change from its call.
func TestNotifyCallsBack(t *testing.T) {
	t.Parallel()
	var got []bool
	p := newTestPool(t, Options{Notify: func(c Change) {
		got = append(got, c.Available)
		switch len(got) {
		case 1:
			c.Upstream.SetOperator(Ready)
		case 2:
			panic("a callback's fault")
		}
	}}, specsOf(2)...)
	u := p.Members()[0].Upstream
	func() {
		defer func() { recover() }()
		u.SetOperator(Drain)
	}()
	u.SetOperator(Off)
	if want := []bool{false, true, false}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Changes caused by a new configuration or a new set are reported too.
func TestNotifyOfConfigure(t *testing.T) {
	t.Parallel()
	var got []bool
	o := ejecting(1)
	o.Notify = func(c Change) { got = append(got, c.Available) }
	p := newTestPool(t, o, specsOf(2)...)
	m := p.Members()
	attempt(t, &m[0], Failure)
	o.Breaker.Consecutive++ // starts again, closed
	if err := p.Configure(o); err != nil {
		t.Fatal(err)
	}
	m[1].operator.Store(uint32(Drain)) // as when the set changes before verdictChanged
	p.Update(specsOf(3))
	p.verdictChanged(m[1].Upstream)
	if want := []bool{false, true, false}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
