//go:build !minimal

package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/webhook"
)

// teller is an instance that sends events.
type teller struct {
	*elected
	name string
	hook *hook
	stop func()
}

// hook is the server that events go to, in a bubble.
type hook struct {
	mu   sync.Mutex          // protects the fields below
	got  []string            // name of the instance, type and upstream
	fate map[string]sendFate // by instance
}

// sendFate is the fate of an event on its way.
type sendFate int

const (
	arrives sendFate = iota
	fails
	vanishes // the sender dies
)

// tellers returns some over one engine, in a bubble.
func tellers(t *testing.T, n int) (*fleet.Memory, *hook, []*teller) {
	t.Helper()
	m, h := fleet.NewMemory(), &hook{fate: map[string]sendFate{}}
	var all []*teller
	for i := range n {
		name := fmt.Sprint(i)
		f, err := fleet.New(fleet.Options{Engine: m, Secret: []byte("a secret of the test"), Member: fleet.Member{Name: name}})
		if err != nil {
			t.Fatal(err)
		}
		w := &teller{newElected(f), name, h, nil}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(ctx) })
		wg.Go(func() { w.run(ctx) })
		w.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
		all = append(all, w)
	}
	time.Sleep(time.Second)
	return m, h, all
}

func (w *teller) sees(what, upstream string) {
	w.tell(webhook.Event{Type: what, Pool: "app", Upstream: upstream}, w.deliver)
}

func (w *teller) deliver(e webhook.Event, done func(bool)) {
	w.hook.mu.Lock()
	fate := w.hook.fate[w.name]
	if fate == arrives {
		w.hook.got = append(w.hook.got, w.name+" "+e.Type+" "+e.Upstream)
	}
	w.hook.mu.Unlock()
	if done == nil {
		return
	}
	switch fate {
	case arrives:
		done(true)
	case fails:
		done(false)
	}
}

// taken returns the events since the last call, without their senders.
func (h *hook) taken() (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, line := range h.got {
		list = append(list, line[2:])
	}
	h.got = nil
	return list
}

func (h *hook) want(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := h.taken(); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// together runs a test with some tellers in a bubble.
func together(t *testing.T, n int, test func(t *testing.T, m *fleet.Memory, h *hook, all []*teller)) {
	synctest.Test(t, func(t *testing.T) {
		m, h, all := tellers(t, n)
		test(t, m, h, all)
		for _, w := range all {
			w.stop()
		}
	})
}

func TestEventOnce(t *testing.T) {
	together(t, 4, func(t *testing.T, m *fleet.Memory, h *hook, all []*teller) {
		for round := range 3 {
			for _, what := range []string{"upstream_down", "upstream_up"} {
				for _, w := range all {
					w.sees(what, "x")
					w.sees(what, "y")
					time.Sleep(time.Second) // not all at the same moment
				}
				h.want(t, fmt.Sprint("round ", round), what+" x", what+" y")
			}
		}
		for _, w := range all { // and at the same moment
			w.sees("upstream_down", "x")
		}
		time.Sleep(5 * time.Second)
		h.want(t, "at the same moment", "upstream_down x")
		time.Sleep(2*toldFor + time.Minute)
		all[2].sees("upstream_down", "x")
		time.Sleep(time.Second)
		h.want(t, "much later", "upstream_down x")
		if n := len(all[2].seen); n != 0 {
			t.Errorf("%d claims are remembered, want none after so long", n)
		}
	})
}

// TestEventOfOneInstance checks that no event of an instance is lost because another
// one has sent a similar one before.
func TestEventOfOneInstance(t *testing.T) {
	together(t, 2, func(t *testing.T, m *fleet.Memory, h *hook, all []*teller) {
		for _, w := range []*teller{all[0], all[1], all[1], all[0]} { // only a sees the second one first, then b
			w.sees("upstream_down", "x")
			time.Sleep(3 * time.Second)
		}
		h.want(t, "each twice", "upstream_down x", "upstream_down x")
		for range 3 { // its link flaps
			all[1].sees("upstream_up", "x")
			all[1].sees("upstream_down", "x")
			time.Sleep(3 * time.Second)
		}
		h.want(t, "of one alone", "upstream_up x", "upstream_down x", "upstream_up x", "upstream_down x", "upstream_up x", "upstream_down x")
	})
}

// TestEventSenderDies checks that another instance sends the events of a dead sender,
// in order.
func TestEventSenderDies(t *testing.T) {
	for _, fate := range []sendFate{vanishes, fails} {
		together(t, 3, func(t *testing.T, m *fleet.Memory, h *hook, all []*teller) {
			h.fate["0"] = fate
			all[0].sees("upstream_down", "x")
			time.Sleep(time.Second)
			all[1].sees("upstream_down", "x")
			all[2].sees("upstream_down", "x")
			if fate == vanishes {
				all[0].stop()
			}
			all[1].sees("upstream_up", "x")
			all[2].sees("upstream_up", "x")
			time.Sleep(fleet.ClaimLease + 5*time.Second)
			h.want(t, "of who did not send", "upstream_down x", "upstream_up x")
		})
	}
}

// TestEventWithoutStore checks that each instance sends its own events while the store
// is away.
func TestEventWithoutStore(t *testing.T) {
	together(t, 3, func(t *testing.T, m *fleet.Memory, h *hook, all []*teller) {
		m.Fail(errors.New("away"))
		time.Sleep(2 * time.Second)
		for _, w := range all {
			w.sees("upstream_down", "x")
		}
		synctest.Wait()
		h.want(t, "without the store", "upstream_down x", "upstream_down x", "upstream_down x")
		m.Fail(nil)
		time.Sleep(2 * time.Second)
		for _, w := range all {
			w.sees("upstream_up", "x")
		}
		time.Sleep(2 * time.Second)
		h.want(t, "with it again", "upstream_up x")
	})
}

// TestEventBounds checks that no event is lost when too many wait.
func TestEventBounds(t *testing.T) {
	together(t, 2, func(t *testing.T, m *fleet.Memory, h *hook, all []*teller) {
		h.fate["0"] = vanishes
		const n = 3 * maxElected
		for i := range n {
			all[0].sees("upstream_down", fmt.Sprint(i))
			time.Sleep(time.Millisecond)
		}
		for i := range n {
			all[1].sees("upstream_down", fmt.Sprint(i))
		}
		all[0].stop()
		time.Sleep(maxWait + time.Minute)
		got := h.taken()
		slices.Sort(got)
		if n := len(slices.Compact(got)); n != 3*maxElected {
			t.Errorf("%d different events have arrived, want %d", n, 3*maxElected)
		}
	})
}
