package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
)

// claimed checks that a member has claimed a name, with a note; nil = nobody.
func claimed(t *testing.T, by *instance, name string, who *instance, note string) {
	t.Helper()
	got, err := by.Look(t.Context(), name)
	switch {
	case who == nil:
		if !errors.Is(err, fleet.ErrNotFound) {
			t.Errorf("%s: got %+v, %v, want nobody's", name, got, err)
		}
	case err != nil || got.By != who.State().Own || string(got.Note) != note:
		t.Errorf("%s: got %+v, %v, want that of %s with the note %q", name, got, err, who.State().Own, note)
	}
}

// over reports whether a claim has been lost.
func over(c *fleet.Claim) bool { return errors.Is(context.Cause(c.Context()), fleet.ErrLost) }

func mustClaim(t *testing.T, i *instance, name string) *fleet.Claim {
	t.Helper()
	c, err := i.Claim(t.Context(), name, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantTaken(t *testing.T, i *instance, name string) *fleet.Claimed {
	t.Helper()
	c, err := i.Claim(t.Context(), name, 0)
	taken, ok := errors.AsType[*fleet.Claimed](err)
	if !ok {
		t.Errorf("got %v, %v, want it to be taken", c, err)
		return &fleet.Claimed{}
	}
	return taken
}

func TestClaim(t *testing.T) {
	inFleet(t, 2, func(t *testing.T, m *fleet.Memory, all []*instance) {
		a, b := all[0], all[1]
		c := mustClaim(t, a, "x")
		wantTaken(t, b, "x")
		wantTaken(t, a, "x")
		mustClaim(t, b, "y").Release(t.Context())
		if err := c.Note(t.Context(), []byte("note")); err != nil {
			t.Error(err)
		}
		claimed(t, b, "x", a, "note")
		time.Sleep(10 * fleet.ClaimLease)
		claimed(t, b, "x", a, "note")
		if over(c) {
			t.Error("a claim that was renewed is lost")
		}
		c.Release(t.Context())
		claimed(t, b, "x", nil, "")
		if err := c.Note(t.Context(), nil); !errors.Is(err, fleet.ErrLost) || c.Context().Err() == nil {
			t.Errorf("a note after the release: %v", err)
		}
		next := mustClaim(t, b, "x")
		if next.Revision() <= c.Revision() {
			t.Errorf("the next claim has the token %d, the one before had %d", next.Revision(), c.Revision())
		}
		if err := next.Leave(t.Context(), []byte("done"), time.Minute); err != nil {
			t.Error(err)
		}
		taken := wantTaken(t, a, "x")
		again, err := a.Claim(t.Context(), "x", taken.Revision)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Claim(t.Context(), "x", taken.Revision); err == nil {
			t.Error("a second instance has replaced what the first has replaced already")
		}
		again.Leave(t.Context(), nil, time.Minute)
		time.Sleep(2 * time.Minute)
		claimed(t, b, "x", nil, "")
	})
}

// TestClaimOneWins checks that one of many concurrent members gets the claim.
func TestClaimOneWins(t *testing.T) {
	inFleet(t, 5, func(t *testing.T, m *fleet.Memory, all []*instance) {
		won := make(chan *fleet.Claim, 50)
		for i := range 50 {
			go func() {
				c, err := all[i%5].Claim(t.Context(), "x", 0)
				if err != nil {
					c = nil
				}
				won <- c
			}()
		}
		n := 0
		for range 50 {
			if c := <-won; c != nil {
				n++
				defer c.Release(t.Context())
			}
		}
		if n != 1 {
			t.Errorf("%d have won, want 1", n)
		}
	})
}

// frozen is an engine that a process cannot reach while it is stopped.
type frozen struct {
	skewed
	stopped chan error
}

func (f frozen) Put(ctx context.Context, table, key string, value []byte, w fleet.Write) (fleet.Entry, error) {
	if err := <-f.stopped; err != nil {
		f.stopped <- err
		return fleet.Entry{}, err
	}
	f.stopped <- nil
	return f.skewed.Put(ctx, table, key, value, w)
}

func (f frozen) turn(err error) {
	<-f.stopped
	f.stopped <- err
}

// TestClaimTakenOver checks that another member takes over a claim that its holder does
// not renew, and that the holder notices before.
func TestClaimTakenOver(t *testing.T) {
	inFleet(t, 1, func(t *testing.T, m *fleet.Memory, all []*instance) {
		far := frozen{skewed{Engine: m}, make(chan error, 1)}
		far.stopped <- nil
		a, b := began(t, far, "far", secret).run(t), all[0]
		defer a.stop()
		time.Sleep(2 * time.Second)
		c := mustClaim(t, a, "x")
		time.Sleep(fleet.ClaimLease / 2)
		far.turn(errAway)
		var lost, taken time.Duration
		for began := time.Now(); taken == 0 && time.Since(began) < time.Minute; time.Sleep(100 * time.Millisecond) {
			if lost == 0 && over(c) {
				lost = time.Since(began)
			}
			if next, err := b.Claim(t.Context(), "x", 0); err == nil {
				taken = time.Since(began)
				defer next.Release(t.Context())
			}
		}
		if lost == 0 || taken < lost || taken > fleet.ClaimLease+time.Second {
			t.Errorf("lost after %v, taken over after %v", lost, taken)
		}
		far.turn(nil)
		if err := c.Note(t.Context(), []byte("late")); !errors.Is(err, fleet.ErrLost) {
			t.Errorf("who has lost it still writes: %v", err)
		}
		c.Release(t.Context())
		claimed(t, a, "x", b, "")
	})
}

// TestClaimFlushed checks that a holder notices that the engine has lost its claim.
func TestClaimFlushed(t *testing.T) {
	inFleet(t, 2, func(t *testing.T, m *fleet.Memory, all []*instance) {
		c := mustClaim(t, all[0], "x")
		m.Flush()
		if err := c.Note(t.Context(), []byte("x")); !errors.Is(err, fleet.ErrLost) || !over(c) {
			t.Errorf("got %v", err)
		}
		c = mustClaim(t, all[0], "x")
		m.Flush()
		time.Sleep(fleet.ClaimLease)
		if !over(c) {
			t.Error("it was not noticed by itself")
		}
	})
}

// unanswered is an engine that loses the answers to writes of claims while it is on.
type unanswered struct {
	skewed
	on *bool
}

func (d unanswered) Put(ctx context.Context, table, key string, value []byte, w fleet.Write) (fleet.Entry, error) {
	e, err := d.skewed.Put(ctx, table, key, value, w)
	if *d.on && table == "claims" {
		return fleet.Entry{}, errAway
	}
	return e, err
}

// TestClaimUnanswered checks that a claim survives a write without an answer.
func TestClaimUnanswered(t *testing.T) {
	inFleet(t, 1, func(t *testing.T, m *fleet.Memory, all []*instance) {
		on := false
		a := began(t, unanswered{skewed{Engine: m}, &on}, "deaf", secret).run(t)
		defer a.stop()
		time.Sleep(2 * time.Second)
		c := mustClaim(t, a, "x")
		on = true
		if err := c.Note(t.Context(), []byte("one")); !errors.Is(err, errAway) {
			t.Errorf("got %v", err)
		}
		on = false
		if err := c.Note(t.Context(), []byte("two")); err != nil || over(c) {
			t.Errorf("got %v", err)
		}
		claimed(t, all[0], "x", a, "two")
		c.Release(t.Context())
	})
}

// TestWordsSync checks that words are everywhere after they were synchronized.
func TestWordsSync(t *testing.T) {
	inFleet(t, 2, func(t *testing.T, m *fleet.Memory, all []*instance) {
		for n := range 20 {
			a, b := all[n%2], all[(n+1)%2]
			a.Words().Set("k", fmt.Append(nil, n), time.Time{})
			if err := a.Words().Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := b.Words().Sync(t.Context()); err != nil || b.word("k") != fmt.Sprint(n) {
				t.Fatalf("%d: got %q, %v", n, b.word("k"), err)
			}
		}
		m.Fail(errAway)
		time.Sleep(5 * time.Second)
		if err := all[0].Words().Sync(t.Context()); err == nil {
			t.Error("it succeeds without the engine")
		}
	})
}
