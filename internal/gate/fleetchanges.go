package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/fleet"
)

// endedFor is how long the fleet remembers that a change was taken back. An instance that
// was away for longer brings it again.
const endedFor = 7 * 24 * time.Hour

// wordKind is what the keys of changes begin with.
const wordKind = "change "

// fleetChanges keeps the operator's changes of all instances alike: what is ordered at one
// is put into the books of the others. What ends by its time, or because a configuration
// file says something else, ends in each book by itself.
type fleetChanges struct {
	words *fleet.Words
	fleet *fleet.Fleet
	book  *changes.Book

	mu    sync.Mutex                     // protects taken
	taken map[changes.Subject]sharedWord // what was taken over from others and is just being put into the book
}

// sharedWord is a change as the fleet has it.
type sharedWord struct {
	changes.Subject
	Value json.RawMessage `json:"value,omitempty"`
	By    string          `json:"by"`
	Why   string          `json:"why,omitempty"`
	Base  string          `json:"base,omitempty"`
	Ended bool            `json:"ended,omitempty"` // it was taken back
}

// shareChanges joins the gate's book with those of the others. It is called once, before
// the fleet runs.
func (f *inFleet) shareChanges(book *changes.Book) {
	s := &fleetChanges{words: f.Words(), fleet: f.Fleet, book: book, taken: map[changes.Subject]sharedWord{}}
	for _, c := range book.All() {
		if !shared(c) {
			continue
		}
		key, value := s.encode(wordOf(c))
		s.words.Seed(key, value, c.At, c.Until)
	}
	book.Follow(s.changed)
	f.follow(wordKind, s.heard)
}

// shared reports whether a change concerns the other instances. The progress of a deploy
// does not: the instance that has begun it judges and ends it, alone.
func shared(c changes.Change) bool { return c.Kind != changes.Deploy }

func wordOf(c changes.Change) sharedWord {
	return sharedWord{Subject: c.Subject, Value: c.Value, By: c.By, Why: c.Why, Base: c.Base}
}

func (s *fleetChanges) encode(w sharedWord) (key string, value []byte) {
	subject, _ := json.Marshal(w.Subject) // which is texts only
	value, _ = json.Marshal(w)
	return wordKind + strconv.FormatUint(s.fleet.Hash(subject), 36), value
}

// same reports whether two words say the same.
func (w sharedWord) same(o sharedWord) bool {
	return w.Subject == o.Subject && w.By == o.By && w.Why == o.Why && w.Base == o.Base && w.Ended == o.Ended && bytes.Equal(w.Value, o.Value)
}

// changed tells the others of an event of the book, unless it comes from them.
func (s *fleetChanges) changed(e changes.Event) {
	if !shared(e.Change) {
		return
	}
	w, until := wordOf(e.Change), e.Change.Until
	switch e.What {
	case changes.Put:
	case changes.TakenBack:
		w = sharedWord{Subject: e.Change.Subject, By: e.By, Why: e.Why, Ended: true}
		until = time.Now().Add(endedFor)
	default:
		return
	}
	s.mu.Lock()
	theirs, ok := s.taken[w.Subject]
	delete(s.taken, w.Subject)
	s.mu.Unlock()
	if ok && theirs.same(w) {
		return
	}
	key, value := s.encode(w)
	s.words.Set(key, value, until)
}

// heard takes over what was ordered at another instance. It returns false when that has to
// wait, as the book is just being handed over.
func (s *fleetChanges) heard(word fleet.Word) bool {
	var w sharedWord
	if json.Unmarshal(word.Value, &w) != nil {
		return true
	}
	before, there := s.book.Find(w.Subject)
	if there == !w.Ended && (w.Ended || wordOf(before).same(w)) {
		return true
	}
	s.mu.Lock()
	s.taken[w.Subject] = w
	s.mu.Unlock()
	var err error
	if w.Ended {
		_, err = s.book.TakeBack(before.ID, w.By, w.Why)
	} else {
		at := s.fleet.Local(time.UnixMilli(word.Stamp.Time))
		_, err = s.book.Put(changes.Change{Subject: w.Subject, Value: w.Value, By: w.By, Why: w.Why, Base: w.Base, At: at, Until: s.fleet.Local(word.Until)})
	}
	if err != nil {
		s.mu.Lock()
		delete(s.taken, w.Subject)
		s.mu.Unlock()
	}
	return !errors.Is(err, changes.ErrFrozen)
}
