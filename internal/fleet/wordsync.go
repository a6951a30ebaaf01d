package fleet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

var errAway = errors.New("the engine does not answer")

// Sync reads all words of the engine and writes the missing ones. When it returns, the
// caller has all earlier words, and the engine has the caller's. It fails without the
// engine.
func (w *Words) Sync(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case w.asked <- done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// look makes run look at once.
func (w *Words) look() {
	select {
	case w.soon <- struct{}{}:
	default:
	}
}

func (w *Words) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var known uint64
	for {
		var asked chan<- error
		select {
		case <-ctx.Done():
			return
		case <-w.soon:
		case asked = <-w.asked:
		case <-timer.C:
		}
		wait, err := w.sync(ctx, &known)
		if asked != nil {
			asked <- err
		}
		gap := time.NewTimer(lookGap) // several messages cause one read
		select {
		case <-gap.C:
		case <-ctx.Done():
		}
		timer.Reset(wait)
	}
}

// sync reads the engine's words, writes the missing ones, and returns the time until the
// next necessary sync. An error is the engine's, or means too many conflicts.
func (w *Words) sync(ctx context.Context, known *uint64) (time.Duration, error) {
	if w.fleet.away.Load() {
		return readEvery, errAway // the next successful beat ends the wait
	}
	w.sow()
	for round := range conflicts {
		if err := w.read(ctx, known); err != nil {
			return retryEvery, err
		}
		conflict, err := w.write(ctx)
		if err != nil {
			return retryEvery, err
		}
		if !conflict {
			break
		}
		*known = 0
		if round == conflicts-1 {
			return lookGap, ErrConflict
		}
	}
	wait := readEvery
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.all {
		if h.dirty {
			wait = min(wait, max(time.Until(h.due), lookGap))
		}
	}
	return wait, nil
}

// sealedWord is a word in the form that the engine stores.
type sealedWord struct {
	Stamp Stamp     `json:"stamp"`
	Until time.Time `json:"until,omitzero"`
	Value []byte    `json:"value"`
}

// read adds the new words of other instances.
func (w *Words) read(ctx context.Context, known *uint64) error {
	var l Listing
	err := w.fleet.call(ctx, func(ctx context.Context) (err error) {
		l, err = w.fleet.engine.List(ctx, w.table, *known)
		return err
	})
	if err != nil || l.Same {
		return err
	}
	*known = l.Revision
	for _, word := range w.merge(l) {
		if w.heard != nil && !w.heard(word) {
			w.unlearn(word)
			*known = 0
		}
	}
	return nil
}

// unlearn drops a word, so that it is new at the next read.
func (w *Words) unlearn(word Word) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.all[word.Key]; h != nil && h.Stamp == word.Stamp {
		delete(w.all, word.Key)
	}
}

// merge returns the words that are new here.
func (w *Words) merge(l Listing) (fresh []Word) {
	w.mu.Lock()
	defer w.mu.Unlock()
	there := make(map[string]bool, len(l.Entries))
	for _, e := range l.Entries {
		var s sealedWord
		text, err := w.fleet.box.open(e.Value, w.table+" "+e.Key)
		if err != nil || json.Unmarshal(text, &s) != nil {
			continue // from an instance with another secret, which the members show
		}
		there[e.Key] = true
		w.clock.see(s.Stamp)
		h := w.all[e.Key]
		if h == nil {
			h = &held{}
			w.all[e.Key] = h
		}
		h.revision = e.Revision
		if h.Stamp.Compare(s.Stamp) > 0 {
			w.owe(h)
			continue
		}
		same := bytes.Equal(h.Value, s.Value) && h.Stamp.By != ""
		h.Word, h.dirty = Word{Key: e.Key, Value: s.Value, Stamp: s.Stamp, Until: s.Until}, false
		if !same {
			fresh = append(fresh, h.Word)
		}
	}
	for key, h := range w.all {
		switch {
		case there[key]:
		case w.over(h):
			delete(w.all, key)
		default:
			h.revision = 0
			w.owe(h)
		}
	}
	w.shed()
	slices.SortFunc(fresh, func(a, b Word) int { return a.Stamp.Compare(b.Stamp) })
	return fresh
}

// owe records that the engine lacks a word. All instances notice that at the same time,
// so each waits for a while, in which another instance may write the word.
func (w *Words) owe(h *held) {
	if !h.dirty {
		h.dirty, h.due = true, time.Now().Add(rand.N(rewriteWithin))
	}
}

// over reports whether a word has expired.
func (w *Words) over(h *held) bool { return w.left(h) < 0 }

// left returns the remaining lifetime of a word; 0 = unlimited, below 0 = expired.
func (w *Words) left(h *held) time.Duration {
	if h.Until.IsZero() {
		return 0
	}
	return cmp.Or(h.Until.Sub(w.fleet.Now()), -1)
}

// shed drops the words that expire first when there are too many.
func (w *Words) shed() {
	if len(w.all) <= maxWords {
		return
	}
	gone := slices.DeleteFunc(slices.Collect(maps.Values(w.all)), func(h *held) bool { return h.Until.IsZero() })
	slices.SortFunc(gone, func(a, b *held) int { return a.Until.Compare(b.Until) })
	for _, h := range gone[:min(len(gone), len(w.all)-maxWords)] {
		delete(w.all, h.Key)
	}
}

// write writes the due words, and notifies the other instances. conflict means that
// another instance was faster.
func (w *Words) write(ctx context.Context) (conflict bool, err error) {
	wrote := false
	for _, h := range w.due() {
		err := w.put(ctx, h)
		if errors.Is(err, ErrConflict) {
			conflict = true
			continue
		}
		if err != nil {
			return false, err
		}
		wrote = true
	}
	if wrote {
		w.fleet.tell(ctx, w.table, nil)
	}
	return conflict, nil
}

// due returns copies of the words to write.
func (w *Words) due() (list []held) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for key, h := range w.all {
		switch {
		case !h.dirty || h.due.After(now):
		case w.over(h):
			delete(w.all, key)
		default:
			list = append(list, *h)
		}
	}
	return list
}

func (w *Words) put(ctx context.Context, h held) error {
	text, err := json.Marshal(sealedWord{Stamp: h.Stamp, Until: h.Until, Value: h.Value})
	if err != nil {
		return err
	}
	sealed := w.fleet.box.seal(text, w.table+" "+h.Key)
	var e Entry
	err = w.fleet.call(ctx, func(ctx context.Context) (err error) {
		e, err = w.fleet.engine.Put(ctx, w.table, h.Key, sealed, Write{Revision: h.revision, Lease: w.left(&h)})
		return err
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.all[h.Key]; now != nil {
		now.revision = e.Revision
		if now.Stamp == h.Stamp {
			now.dirty = false
		}
	}
	return nil
}
