package fleet

import (
	"bytes"
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
	table string            // in the engine, and topic of its messages
	soon  chan struct{}     // wakes run
	asked chan chan<- error // wakes run, which answers once it has looked

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
	// readEvery is how often all words are read, should a message have been lost.
	readEvery = 5 * time.Second
	// lookGap is between two reads that messages ask for.
	lookGap = 20 * time.Millisecond
	// rewriteWithin spreads who writes again what the engine has lost.
	rewriteWithin = time.Second
	maxWords      = 20_000
	conflicts     = 4 // rounds of reading and writing, one after the other
)

// NewWords returns words in a table of their own, for those that are many or large: who
// hears of a new word reads its whole table. It is called before [Fleet.Run].
func (f *Fleet) NewWords(table string) *Words {
	w := &Words{fleet: f, table: table, soon: make(chan struct{}, 1), asked: make(chan chan<- error), all: map[string]*held{}, clock: clock{by: f.id}}
	f.tables = append(f.tables, w)
	f.Hear(table, func([]byte) { w.look() })
	return w
}

// lookAtWords makes all words look at once.
func (f *Fleet) lookAtWords() {
	for _, w := range f.tables {
		w.look()
	}
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

// SetAt says a word whose moment all know, such as when a certificate was issued: of two
// the later one stays, whoever says it when. at and until are true times.
func (w *Words) SetAt(key string, value []byte, at, until time.Time) {
	word := Word{Key: key, Value: value, Stamp: Stamp{Time: at.UnixMilli(), By: w.clock.by}, Until: until}
	w.mu.Lock()
	h := w.all[key]
	later := h == nil || word.Stamp.Compare(h.Stamp) > 0 && !bytes.Equal(h.Value, value)
	if later {
		w.hold(word, time.Now())
	}
	w.mu.Unlock()
	if later {
		w.look()
	}
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
