package fleet_test

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
)

var errAway = errors.New("away")

// skewed is an engine as seen by a machine whose clock is late.
type skewed struct {
	fleet.Engine
	behind time.Duration
}

func (s skewed) Put(ctx context.Context, table, key string, value []byte, w fleet.Write) (fleet.Entry, error) {
	e, err := s.Engine.Put(ctx, table, key, value, w)
	e.At = e.At.Add(s.behind)
	return e, err
}

func (s skewed) List(ctx context.Context, table string, known uint64) (fleet.Listing, error) {
	l, err := s.Engine.List(ctx, table, known)
	l.Now = l.Now.Add(s.behind)
	return l, err
}

func (skewed) Close() error { return nil }

// instance is an instance of a fleet, with everything that it has heard.
type instance struct {
	*fleet.Fleet
	stop func()

	mu    sync.Mutex
	heard map[string]string
}

func (i *instance) word(key string) string {
	if w, ok := i.Words().Get(key); ok {
		return string(w.Value)
	}
	return ""
}

// told returns the values received for a key.
func (i *instance) told(key string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.heard[key]
}

// began starts an instance in a bubble.
func began(t *testing.T, e fleet.Engine, name, secret string) *instance {
	t.Helper()
	f, err := fleet.New(fleet.Options{Engine: e, Secret: []byte(secret), Member: fleet.Member{Name: name, Config: "c1"}})
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{Fleet: f, heard: map[string]string{}}
	f.Words().Follow(func(w fleet.Word) bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.heard[w.Key] = string(w.Value)
		return true
	})
	return i
}

func (i *instance) run(t *testing.T) *instance {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { i.Fleet.Run(ctx) })
	i.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	return i
}

const secret = "a secret of the fleet"

// inFleet runs a test with n instances over one engine.
func inFleet(t *testing.T, n int, test func(t *testing.T, m *fleet.Memory, all []*instance)) {
	synctest.Test(t, func(t *testing.T) {
		m := fleet.NewMemory()
		var all []*instance
		for i := range n {
			all = append(all, began(t, skewed{Engine: m}, fmt.Sprint("gate-", i), secret).run(t))
		}
		time.Sleep(2 * time.Second)
		test(t, m, all)
		for _, i := range all {
			i.stop()
		}
	})
}

func names(f *fleet.Fleet) (list []string) {
	for _, m := range f.State().Members {
		list = append(list, m.Name)
	}
	return list
}

func TestMembers(t *testing.T) {
	inFleet(t, 3, func(t *testing.T, m *fleet.Memory, all []*instance) {
		want := func(what string, i *instance, members ...string) {
			t.Helper()
			if got := names(i.Fleet); !slices.Equal(got, members) || i.Live() != len(members) || !i.State().Connected {
				t.Errorf("%s: got %v, connected %v, want %v", what, got, i.State().Connected, members)
			}
		}
		want("at first", all[0], "gate-0", "gate-1", "gate-2")
		all[1].SetConfig("c2")
		time.Sleep(3 * time.Second)
		if got := all[0].State().Members[1].Config; got != "c2" {
			t.Errorf("configuration of gate-1: got %s", got)
		}
		all[2].stop()
		time.Sleep(2 * time.Second)
		want("after one has left", all[0], "gate-0", "gate-1")
		m.Fail(errAway)
		time.Sleep(time.Minute)
		s := all[0].State()
		if s.Connected || !errors.Is(s.Err, errAway) || all[0].Live() != 2 || all[0].Lost() < 50*time.Second {
			t.Errorf("without the engine: got %+v, %d live, away for %v", s, all[0].Live(), all[0].Lost())
		}
		m.Fail(nil)
		time.Sleep(2 * time.Second)
		want("with the engine again", all[0], "gate-0", "gate-1")
		m.Flush()
		time.Sleep(2 * time.Second)
		want("after a flush", all[0], "gate-0", "gate-1")
	})
}

// TestMemberDies checks that a member that ends without notice is missing after its
// lease.
func TestMemberDies(t *testing.T) {
	inFleet(t, 2, func(t *testing.T, m *fleet.Memory, all []*instance) {
		gone := began(t, deaf{m}, "gate-x", secret).run(t)
		time.Sleep(2 * time.Second)
		if all[0].Live() != 3 {
			t.Errorf("got %v", names(all[0].Fleet))
		}
		gone.stop()
		time.Sleep(7 * time.Second)
		if all[0].Live() != 2 {
			t.Errorf("after its lease: got %v", names(all[0].Fleet))
		}
	})
}

// deaf is an engine for one that cannot leave.
type deaf struct{ fleet.Engine }

func (deaf) Delete(context.Context, string, string, uint64) error { return errAway }
func (deaf) Close() error                                         { return nil }

func TestMemberWithAnotherSecret(t *testing.T) {
	inFleet(t, 1, func(t *testing.T, m *fleet.Memory, all []*instance) {
		other := began(t, skewed{Engine: m}, "stranger", "another secret than theirs").run(t)
		other.Words().Set("k", []byte("forged"), time.Time{})
		time.Sleep(7 * time.Second)
		if s := all[0].State(); s.Strangers != 1 || all[0].Live() != 1 || all[0].word("k") != "" {
			t.Errorf("got %+v and the word %q", s, all[0].word("k"))
		}
		other.stop()
	})
}

func TestWords(t *testing.T) {
	inFleet(t, 3, func(t *testing.T, m *fleet.Memory, all []*instance) {
		want := func(what, key, value string, of ...*instance) {
			t.Helper()
			for _, i := range of {
				if got := i.word(key); got != value {
					t.Errorf("%s: %s has %q, want %q", what, i.State().Own, got, value)
				}
			}
		}
		a, b := all[0], all[1]
		a.Words().Set("k", []byte("1"), time.Time{})
		time.Sleep(100 * time.Millisecond)
		want("by message", "k", "1", all...)
		if got, own := b.told("k"), a.told("k"); got != "1" || own != "" {
			t.Errorf("heard: %q, and by itself %q", got, own)
		}
		b.Words().Set("k", []byte("2"), time.Time{})
		b.Words().Set("k", []byte("gone"), time.Now().Add(20*time.Second))
		b.Words().Set("j", []byte("3"), time.Now().Add(time.Minute))
		time.Sleep(100 * time.Millisecond)
		want("taken back", "k", "gone", all...)
		want("another", "j", "3", all...)
		m.Flush()
		time.Sleep(8 * time.Second)
		late := began(t, skewed{Engine: m}, "late", secret).run(t)
		time.Sleep(2 * time.Second)
		want("after a flush", "j", "3", append(all, late)...)
		want("after a flush", "k", "gone", late)
		late.stop()
		time.Sleep(time.Minute)
		for _, i := range all {
			if n := i.Words().Waiting(); n != 0 {
				t.Errorf("%d words wait", n)
			}
		}
		l, err := m.List(t.Context(), "words", 0)
		if err != nil || len(l.Entries) != 0 {
			t.Errorf("after its end: %d words, %v", len(l.Entries), err)
		}
	})
}

// TestWordsWithoutEngine checks that the last writer wins, also if both wrote alone.
func TestWordsWithoutEngine(t *testing.T) {
	inFleet(t, 2, func(t *testing.T, m *fleet.Memory, all []*instance) {
		m.Fail(errAway)
		all[0].Words().Set("k", []byte("first"), time.Time{})
		all[1].Words().Set("only", []byte("mine"), time.Time{})
		time.Sleep(time.Second)
		all[1].Words().Set("k", []byte("second"), time.Time{})
		time.Sleep(time.Second)
		m.Flush()
		m.Fail(nil)
		time.Sleep(3 * time.Second)
		for _, i := range all {
			if i.word("k") != "second" || i.word("only") != "mine" {
				t.Errorf("%s has %q and %q", i.State().Own, i.word("k"), i.word("only"))
			}
		}
	})
}

// TestClocksDiffer checks that the later word wins although its writer's clock is ten
// minutes late, also after restarts.
func TestClocksDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fleet.NewMemory()
		ahead := began(t, skewed{m, -10 * time.Minute}, "ahead", secret).run(t)
		right := began(t, skewed{Engine: m}, "right", secret).run(t)
		time.Sleep(2 * time.Second)
		ahead.Words().Set("k", []byte("old"), time.Now().Add(20*time.Minute))
		said := time.Now()
		time.Sleep(time.Second)
		if w, _ := right.Words().Get("k"); time.Until(w.Until).Round(10*time.Second) != 10*time.Minute {
			t.Errorf("it ends in %v by the engine's clock", time.Until(w.Until))
		}
		ahead.stop()
		right.Words().Set("k", []byte("new"), time.Time{})
		time.Sleep(time.Second)
		ahead = began(t, skewed{m, -10 * time.Minute}, "ahead", secret)
		ahead.Words().Seed("k", []byte("old"), said, time.Time{})
		ahead.Words().Seed("more", []byte("x"), said, time.Time{})
		ahead.run(t)
		time.Sleep(3 * time.Second)
		for _, i := range []*instance{ahead, right} {
			if i.word("k") != "new" || i.word("more") != "x" {
				t.Errorf("%s has %q and %q", i.State().Own, i.word("k"), i.word("more"))
			}
		}
		if ms := right.State().Members; ms[0].Clock != 600 || ms[1].Clock != 0 {
			t.Errorf("clocks: %+v", ms)
		}
		ahead.stop()
		right.stop()
	})
}

// TestMessages checks that messages reach all members, and do not wait for an
// unreachable engine.
func TestMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fleet.NewMemory()
		var mu sync.Mutex
		heard := map[string][]string{}
		var all []*instance
		for _, name := range []string{"a", "b"} {
			i := began(t, skewed{Engine: m}, name, secret)
			i.Hear("topic", func(text []byte) {
				mu.Lock()
				defer mu.Unlock()
				heard[name] = append(heard[name], string(text))
			})
			all = append(all, i.run(t))
		}
		time.Sleep(2 * time.Second)
		all[0].Tell("topic", []byte("1"))
		time.Sleep(time.Second)
		m.Fail(errAway)
		time.Sleep(3 * time.Second)
		for range 10_000 {
			all[0].Tell("topic", []byte("lost"))
		}
		m.Fail(nil)
		time.Sleep(3 * time.Second)
		all[1].Tell("topic", []byte("2"))
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		for name, got := range heard {
			if !slices.Equal(got, []string{"1", "2"}) {
				t.Errorf("%s has heard %q", name, got)
			}
		}
		if len(heard) != 2 {
			t.Errorf("heard: %v", heard)
		}
		for _, i := range all {
			i.stop()
		}
	})
}
