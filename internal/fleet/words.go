package fleet

import (
	"bytes"
	"sync"
	"time"
)

// Word is a value with a copy at all instances.
type Word struct {
	Key   string
	Value []byte
	Stamp Stamp
	Until time.Time // by the engine's clock; zero = forever
}

// Words are the values with a copy at all instances. They survive a loss of the engine's
// data: the instances write missing words again. It is safe for concurrent use.
type Words struct {
	fleet *Fleet
	table string            // name of the table in the engine, and topic of its messages
	soon  chan struct{}     // wakes run
	asked chan chan<- error // wakes run, which answers after its next look

	mu    sync.Mutex // protects the fields below
	all   map[string]*held
	clock clock
	heard func(Word) bool
	seeds []Word // words not held yet; their times are by this machine's clock
}

// held is a word, and its state in the engine.
type held struct {
	Word
	revision uint64    // revision in the engine; 0 = none
	dirty    bool      // the engine does not have this version
	due      time.Time // time to write it
}

const (
	tableWords = "words"
	// readEvery is the interval at which all words are read, in case a message was lost.
	readEvery = 5 * time.Second
	// lookGap is the least time between two reads that messages cause.
	lookGap = 20 * time.Millisecond
	// rewriteWithin is the period over which the instances spread the rewriting of lost
	// words.
	rewriteWithin = time.Second
	maxWords      = 20_000
	conflicts     = 4 // consecutive rounds of reading and writing
)

// NewWords returns words in a separate table, for many or large ones: a new word makes
// every instance read the whole table. It must be called before [Fleet.Run].
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

// Follow calls heard for each word of another instance, one after the other. If heard
// returns false, the call is repeated later. It must be called before [Fleet.Run].
func (w *Words) Follow(heard func(Word) bool) { w.heard = heard }

// Set publishes a word. until is its end, by this machine's clock; zero = never.
func (w *Words) Set(key string, value []byte, until time.Time) {
	w.mu.Lock()
	w.hold(Word{Key: key, Value: value, Stamp: w.clock.next(w.fleet.Now()), Until: w.fleet.engineTime(until)}, time.Now())
	w.mu.Unlock()
	w.look()
}

// SetAt publishes a word with a time that all instances know, for example the issue of a
// certificate. The word with the later time wins, whatever the order of the calls. at and
// until are true times.
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

// Seed adds a word that was published before this process started, at a time of this
// machine's clock, so that later words of other instances win. It must be called before
// [Fleet.Run].
func (w *Words) Seed(key string, value []byte, at, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seeds = append(w.seeds, Word{Key: key, Value: value, Stamp: Stamp{Time: at.UnixMilli(), By: w.clock.by}, Until: until})
}

// sow holds the seeds, once the difference of the clocks is known.
func (w *Words) sow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, word := range w.seeds {
		if w.all[word.Key] != nil {
			continue // a newer word exists
		}
		word.Stamp.Time += w.fleet.Offset().Milliseconds()
		word.Until = w.fleet.engineTime(word.Until)
		w.clock.see(word.Stamp)
		w.hold(word, time.Now())
	}
	w.seeds = nil
}

// engineTime converts a time of this machine's clock into the engine's; zero stays zero.
func (f *Fleet) engineTime(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(f.Offset())
}

// Local converts a time of the engine's clock into this machine's; zero stays zero.
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

// Waiting returns the number of words that the engine does not have yet.
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

// hold keeps a word for the engine. mu must be held.
func (w *Words) hold(word Word, due time.Time) {
	h := w.all[word.Key]
	if h == nil {
		h = &held{}
		w.all[word.Key] = h
	}
	h.Word, h.dirty, h.due = word, true, due
}
