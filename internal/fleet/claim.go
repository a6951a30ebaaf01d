package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// ClaimLease is how long a claim lasts without renewal. Until then no instance takes
	// over from a holder that has died.
	ClaimLease = 20 * time.Second
	renewEvery = ClaimLease / 4
	// claimMargin is how much earlier than the engine a holder considers its claim lost.
	claimMargin = time.Second
)

const tableClaims = "claims"

// Claim is the exclusive right of one instance to do something for all. The entry in the
// engine guarantees that: each change of it names the revision that it replaces (a
// fencing token), so that a holder that has lost its claim without noticing cannot change
// the entry of its successor. Use [Fleet.Claim]. It is safe for concurrent use.
type Claim struct {
	fleet *Fleet
	name  string
	id    string // unique ID of this claim
	ctx   context.Context
	lose  context.CancelCauseFunc
	done  sync.WaitGroup // of keep

	mu       sync.Mutex // protects the fields below; held while the entry is written
	note     []byte
	revision uint64
	until    time.Time // end of the lease, by this machine's monotonic clock
	over     bool
}

// Claimed is the error of claiming a name that another claim has.
type Claimed struct {
	ID       string // unique ID of the claim
	By       string // ID of the member
	Note     []byte // the holder's note
	Revision uint64 // the revision to name when replacing it
}

// Error names the holder.
func (c *Claimed) Error() string { return "the instance " + c.By + " has claimed it" }

// ErrLost is the cause in the context of a lost claim.
var ErrLost = errors.New("the claim is lost: the fleet's store did not renew it in time, or no longer has it")

// claimEntry is a claim in the form that the engine stores.
type claimEntry struct {
	ID   string `json:"id"`
	By   string `json:"by"`
	Note []byte `json:"note,omitempty"`
}

// Claim requests the exclusive right to a name, and renews it until it is returned or ctx
// ends. It replaces an entry of the revision over; 0 = there must be no entry. If another
// claim has the name, the error is a [*Claimed].
func (f *Fleet) Claim(ctx context.Context, name string, over uint64) (*Claim, error) {
	c := &Claim{fleet: f, name: name, id: newID(), revision: over}
	err := c.put(ctx, ClaimLease)
	if errors.Is(err, ErrConflict) {
		there, err := f.Look(ctx, name)
		if err == nil {
			err = there
		}
		return nil, err // also if the other claim has just ended: the next try succeeds
	}
	if err != nil {
		return nil, err
	}
	c.ctx, c.lose = context.WithCancelCause(ctx)
	c.done.Go(c.keep)
	return c, nil
}

// Look returns the claim of a name; [ErrNotFound] if there is none.
func (f *Fleet) Look(ctx context.Context, name string) (*Claimed, error) {
	key := f.claimKey(name)
	var e Entry
	err := f.call(ctx, func(ctx context.Context) (err error) {
		e, err = f.engine.Get(ctx, tableClaims, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	var c claimEntry
	text, err := f.box.open(e.Value, tableClaims+" "+key)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("claim of %s: %w", name, err)
	}
	return &Claimed{ID: c.ID, By: c.By, Note: c.Note, Revision: e.Revision}, nil
}

// claimKey hides names, which may be host names.
func (f *Fleet) claimKey(name string) string {
	return fmt.Sprintf("%016x", f.Hash([]byte("claim "+name)))
}

// Context returns a context that ends with the right.
func (c *Claim) Context() context.Context { return c.ctx }

// ID returns the unique ID of the claim.
func (c *Claim) ID() string { return c.id }

// Revision returns the claim's fencing token. Later holders have larger ones.
func (c *Claim) Revision() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.revision
}

// Note publishes a note that all instances can read with [Fleet.Look]. If it returns no
// error they can read it, and this instance was still the holder.
func (c *Claim) Note(ctx context.Context, note []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.note
	c.note = note
	err := c.write(ctx, ClaimLease)
	if err != nil {
		c.note = before
	}
	return err
}

// Release returns the right.
func (c *Claim) Release(ctx context.Context) {
	c.end(func() error {
		return c.fleet.call(ctx, func(ctx context.Context) error {
			return c.fleet.engine.Delete(ctx, tableClaims, c.fleet.claimKey(c.name), c.revision)
		})
	})
}

// Leave returns the right, and leaves a note for a while. The note keeps other instances
// from claiming the name, unless they replace it.
func (c *Claim) Leave(ctx context.Context, note []byte, stays time.Duration) error {
	return c.end(func() error {
		c.note = note
		return c.put(ctx, stays)
	})
}

// Drop ends the claim here, without deleting the entry: other instances must wait for the
// end of its lease.
func (c *Claim) Drop() { c.end(func() error { return nil }) }

// end ends the renewal, and then calls last if the entry still belongs to this claim.
func (c *Claim) end(last func() error) error {
	c.mu.Lock()
	over := c.over
	c.over = true
	err := ErrLost
	if !over {
		err = last()
	}
	c.mu.Unlock()
	c.lose(context.Canceled)
	c.done.Wait()
	return err
}

// write is put for a held claim. mu must be held.
func (c *Claim) write(ctx context.Context, stays time.Duration) error {
	if c.over || !time.Now().Before(c.until) {
		return ErrLost
	}
	err := c.put(ctx, stays)
	if errors.Is(err, ErrConflict) && c.written(ctx) {
		err = c.put(ctx, stays)
	}
	if errors.Is(err, ErrConflict) {
		c.over = true
		c.lose(ErrLost)
		return ErrLost
	}
	return err
}

// written reports whether the entry belongs to this claim after all, because the answer
// to a write was lost. If so, it uses the entry's revision.
func (c *Claim) written(ctx context.Context) bool {
	there, err := c.fleet.Look(ctx, c.name)
	if err != nil || there.ID != c.id {
		return false
	}
	c.revision = there.Revision
	return true
}

// put writes the entry over the known revision.
func (c *Claim) put(ctx context.Context, stays time.Duration) error {
	text, err := json.Marshal(claimEntry{ID: c.id, By: c.fleet.id, Note: c.note})
	if err != nil {
		return err
	}
	key := c.fleet.claimKey(c.name)
	sealed := c.fleet.box.seal(text, tableClaims+" "+key)
	until := time.Now().Add(stays - claimMargin)
	var e Entry
	err = c.fleet.call(ctx, func(ctx context.Context) (err error) {
		e, err = c.fleet.engine.Put(ctx, tableClaims, key, sealed, Write{Revision: c.revision, Lease: stays})
		return err
	})
	if err == nil {
		c.revision, c.until = e.Revision, until
	}
	return err
}

// keep renews the claim until it is returned or lost.
func (c *Claim) keep() {
	timer := time.NewTimer(renewEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		if c.over {
			c.mu.Unlock()
			return
		}
		err := c.write(c.ctx, ClaimLease)
		left := time.Until(c.until)
		if errors.Is(err, ErrLost) || left <= 0 {
			c.over = true
			c.mu.Unlock()
			c.lose(ErrLost)
			return
		}
		c.mu.Unlock()
		pause := renewEvery
		if err != nil {
			pause = min(retryEvery, left)
		}
		timer.Reset(pause)
	}
}
