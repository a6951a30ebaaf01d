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
	"sync"
	"time"
)

// Word is a value of which all instances have a copy.
type Word struct {
	Key   string
	Value []byte
	Stamp Stamp
	Until time.Time // by the engine's clock; zero = for good
}

// Words are the values of which all instances have a copy, and which no loss of the
// engine loses: what the engine lacks, the instances write again. It is safe for
// concurrent use.
type Words struct {
	fleet *Fleet
	soon  chan struct{} // wakes run

	mu    sync.Mutex // protects the fields below
	all   map[string]*held
	clock clock
	heard func(Word) bool
	seeds []Word // that are not held yet; their times are by this machine's clock
}

// held is a word, and what the engine has of it.
type held struct {
	Word
	revision uint64    // that the engine has; 0 = none
	dirty    bool      // the engine does not have it as it is here
	due      time.Time // when it is to be written
}

const (
	tableWords = "words"
	topicWords = "words"
	// readEvery is how often all words are read, should a message have been lost.
	readEvery = 5 * time.Second
	// lookGap is between two reads that messages ask for.
	lookGap = 20 * time.Millisecond
	// rewriteWithin spreads who writes again what the engine has lost.
	rewriteWithin = time.Second
	maxWords      = 20_000
	conflicts     = 4 // rounds of reading and writing, one after the other
)

func newWords(f *Fleet) *Words {
	w := &Words{fleet: f, soon: make(chan struct{}, 1), all: map[string]*held{}, clock: clock{by: f.id}}
	f.Hear(topicWords, func([]byte) { w.look() })
	return w
}

// Follow calls heard for each word that another instance has said, one after the other. A
// word of which heard returns false is told again later. It is called before [Fleet.Run].
func (w *Words) Follow(heard func(Word) bool) { w.heard = heard }

// Set says a word. until is when it ends, by this machine's clock; zero = never.
func (w *Words) Set(key string, value []byte, until time.Time) {
	w.mu.Lock()
	w.hold(Word{Key: key, Value: value, Stamp: w.clock.next(w.fleet.Now()), Until: w.fleet.engineTime(until)}, time.Now())
	w.mu.Unlock()
	w.look()
}

// Seed says a word that was said at a time before this process, by this machine's
// clock, so that what was said later elsewhere wins. It is called before [Fleet.Run].
func (w *Words) Seed(key string, value []byte, at, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seeds = append(w.seeds, Word{Key: key, Value: value, Stamp: Stamp{Time: at.UnixMilli(), By: w.clock.by}, Until: until})
}

// sow holds the seeds, once it is known how far the clocks differ.
func (w *Words) sow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, word := range w.seeds {
		if w.all[word.Key] != nil {
			continue // something was said since
		}
		word.Stamp.Time += w.fleet.Offset().Milliseconds()
		word.Until = w.fleet.engineTime(word.Until)
		w.clock.see(word.Stamp)
		w.hold(word, time.Now())
	}
	w.seeds = nil
}

// engineTime translates a moment of this machine's clock; zero stays zero.
func (f *Fleet) engineTime(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(f.Offset())
}

// Local translates a moment of the engine's clock into this machine's; zero stays zero.
func (f *Fleet) Local(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-f.Offset())
}

// Get returns a word; false if there is none.
func (w *Words) Get(key string) (Word, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.all[key]; h != nil && !w.over(h) {
		return h.Word, true
	}
	return Word{}, false
}

// All returns all words, in no order.
func (w *Words) All() (list []Word) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.all {
		if !w.over(h) {
			list = append(list, h.Word)
		}
	}
	return list
}

// Waiting returns how many words the engine does not have yet.
func (w *Words) Waiting() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.all {
		if h.dirty {
			n++
		}
	}
	return n
}

// hold keeps a word that the engine is to have. It is called with mu held.
func (w *Words) hold(word Word, due time.Time) {
	h := w.all[word.Key]
	if h == nil {
		h = &held{}
		w.all[word.Key] = h
	}
	h.Word, h.dirty, h.due = word, true, due
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
		select {
		case <-ctx.Done():
			return
		case <-w.soon:
		case <-timer.C:
		}
		wait := w.sync(ctx, &known)
		gap := time.NewTimer(lookGap) // messages that come together cause one look
		select {
		case <-gap.C:
		case <-ctx.Done():
		}
		timer.Reset(wait)
	}
}

// sync reads what the engine has, writes what it lacks, and returns how long nothing has
// to be done.
func (w *Words) sync(ctx context.Context, known *uint64) time.Duration {
	if w.fleet.away.Load() {
		return readEvery // the next beat that succeeds ends the wait
	}
	w.sow()
	for range conflicts {
		if err := w.read(ctx, known); err != nil {
			return retryEvery
		}
		conflict, err := w.write(ctx)
		if err != nil {
			return retryEvery
		}
		if !conflict {
			break
		}
		*known = 0
	}
	wait := readEvery
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.all {
		if h.dirty {
			wait = min(wait, max(time.Until(h.due), lookGap))
		}
	}
	return wait
}

// sealedWord is a word as the engine has it.
type sealedWord struct {
	Stamp Stamp     `json:"stamp"`
	Until time.Time `json:"until,omitzero"`
	Value []byte    `json:"value"`
}

// read takes over what others have said since.
func (w *Words) read(ctx context.Context, known *uint64) error {
	var l Listing
	err := w.fleet.call(ctx, func(ctx context.Context) (err error) {
		l, err = w.fleet.engine.List(ctx, tableWords, *known)
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

// unlearn forgets a word, so that it is new when it is read again.
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
		text, err := w.fleet.box.open(e.Value, tableWords+" "+e.Key)
		if err != nil || json.Unmarshal(text, &s) != nil {
			continue // a stranger's; the members say that there is one
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

// owe says that the engine lacks a word. All instances find that at the same time, so
// that each waits for a while, in which another may write it.
func (w *Words) owe(h *held) {
	if !h.dirty {
		h.dirty, h.due = true, time.Now().Add(rand.N(rewriteWithin))
	}
}

// over reports whether a word has ended.
func (w *Words) over(h *held) bool { return w.left(h) < 0 }

// left is how long the engine is to keep a word; 0 = for good, less = it has ended.
func (w *Words) left(h *held) time.Duration {
	if h.Until.IsZero() {
		return 0
	}
	return cmp.Or(h.Until.Sub(w.fleet.Now()), -1)
}

// shed forgets the words that end first when there are too many.
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

// write writes what is due, and tells the others to look. conflict says that somebody
// else was faster.
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
		w.fleet.tell(ctx, topicWords, nil)
	}
	return conflict, nil
}

// due returns copies of what is to be written.
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
	sealed := w.fleet.box.seal(text, tableWords+" "+h.Key)
	var e Entry
	err = w.fleet.call(ctx, func(ctx context.Context) (err error) {
		e, err = w.fleet.engine.Put(ctx, tableWords, h.Key, sealed, Write{Revision: h.revision, Lease: w.left(&h)})
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
