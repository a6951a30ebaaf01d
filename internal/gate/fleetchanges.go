package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/fleet"
)

// endedFor is how long the fleet remembers that a change has ended. An instance that was
// away for longer brings the change back.
const endedFor = 7 * 24 * time.Hour

// wordKind is the prefix of the keys of changes.
const wordKind = "change "

// fleetChanges synchronises the operators' changes between instances: a change ordered at
// one instance is copied into the books of the others. A change with an expiry ends in
// each book by itself.
//
// A change holds at each instance whose file has the same value for its subject as when
// the change was made. An instance with another file omits the change, and applies it
// once its file has that value again.
type fleetChanges struct {
	words *fleet.Words
	fleet *fleet.Fleet
	book  *changes.Book
	// config returns this instance's configuration.
	config func() *config.Config

	mu    sync.Mutex                     // protects taken
	taken map[changes.Subject]sharedWord // changes of other instances that are being put into the book
}

// sharedWord is a change in the form that the fleet stores.
type sharedWord struct {
	changes.Subject
	Value json.RawMessage `json:"value,omitempty"`
	By    string          `json:"by"`
	Why   string          `json:"why,omitempty"`
	Base  string          `json:"base,omitempty"`
	Ended bool            `json:"ended,omitempty"` // it has ended
}

// shareChanges connects the gate's book with those of the other instances. It is called
// once, before the fleet runs.
func (f *inFleet) shareChanges(g *Gate) {
	book := g.changes
	s := &fleetChanges{words: f.Words(), fleet: f.Fleet, book: book, taken: map[changes.Subject]sharedWord{}}
	s.config = func() *config.Config { return g.current.Load().config }
	f.changes = s
	s.summarise()
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
// does not: only the instance that has begun the deploy judges and ends it.
func shared(c changes.Change) bool { return c.Kind != changes.Deploy }

func wordOf(c changes.Change) sharedWord {
	return sharedWord{Subject: c.Subject, Value: c.Value, By: c.By, Why: c.Why, Base: c.Base}
}

func (s *fleetChanges) encode(w sharedWord) (key string, value []byte) {
	subject, _ := json.Marshal(w.Subject) // without an error: strings only
	value, _ = json.Marshal(w)
	return wordKind + strconv.FormatUint(s.fleet.Hash(subject), 36), value
}

// same reports whether two words have the same content.
func (w sharedWord) same(o sharedWord) bool {
	return w.Subject == o.Subject && w.By == o.By && w.Why == o.Why && w.Base == o.Base && w.Ended == o.Ended && bytes.Equal(w.Value, o.Value)
}

// changed publishes an event of the book, unless another instance caused it.
func (s *fleetChanges) changed(e changes.Event) {
	if !shared(e.Change) {
		return
	}
	s.summarise()
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

// heard copies another instance's change into the book. It returns false to try again
// later, while the book is being passed to a new process.
func (s *fleetChanges) heard(word fleet.Word) bool {
	var w sharedWord
	if json.Unmarshal(word.Value, &w) != nil {
		return true
	}
	before, there := s.book.Find(w.Subject)
	if there == !w.Ended && (w.Ended || wordOf(before).same(w)) {
		return true
	}
	at := s.fleet.Local(time.UnixMilli(word.Stamp.Time))
	c := changes.Change{Subject: w.Subject, Value: w.Value, By: w.By, Why: w.Why, Base: w.Base, At: at, Until: s.fleet.Local(word.Until)}
	if !w.Ended && s.overrules(s.config(), c) {
		return true
	}
	s.mu.Lock()
	s.taken[w.Subject] = w
	s.mu.Unlock()
	var err error
	if w.Ended {
		_, err = s.book.TakeBack(before.ID, w.By, w.Why)
	} else {
		_, err = s.book.Put(c)
	}
	if err != nil {
		s.mu.Lock()
		delete(s.taken, w.Subject)
		s.mu.Unlock()
	}
	return !errors.Is(err, changes.ErrFrozen)
}

// overrules reports whether a configuration would overrule a change, given those in force.
func (s *fleetChanges) overrules(by *config.Config, c changes.Change) bool {
	all := []changes.Change{c}
	for _, o := range s.book.All() {
		if o.Subject != c.Subject {
			all = append(all, o)
		}
	}
	return slices.ContainsFunc(overruledBy(by, all), func(o overruled) bool { return o.Subject == c.Subject })
}

// rehear applies the fleet's changes again after a new configuration. f may be nil.
func (f *inFleet) rehear() {
	if f == nil {
		return
	}
	for _, w := range f.Words().All() {
		if strings.HasPrefix(w.Key, wordKind) {
			f.changes.heard(w)
		}
	}
}

// settle ends a change for good when the configurations of all instances overrule it.
// Otherwise it would return once the file has its old value again. One instance does this
// for all.
func (s *fleetChanges) settle(st *fleet.State) {
	if st.Portion().Place != 0 {
		return
	}
	own := s.config()
	hash := fleetHash(own) // not from st, which may be older than the last reload
	if slices.ContainsFunc(st.Steady, func(m fleet.Member) bool { return m.Config != hash }) {
		return
	}
	for _, word := range s.words.All() {
		var w sharedWord
		if !strings.HasPrefix(word.Key, wordKind) || json.Unmarshal(word.Value, &w) != nil || w.Ended || !s.overrules(own, changes.Change{Subject: w.Subject, Value: w.Value, Base: w.Base}) {
			continue
		}
		key, value := s.encode(sharedWord{Subject: w.Subject, By: "configuration", Why: "the files of all instances overrule it", Ended: true})
		s.words.Set(key, value, time.Now().Add(endedFor))
	}
}

// summarise publishes a hash of the changes in force, so that the other instances can
// compare.
func (s *fleetChanges) summarise() {
	var list []string
	for _, c := range s.book.All() {
		if text, err := json.Marshal(wordOf(c)); shared(c) && err == nil {
			list = append(list, string(text))
		}
	}
	slices.Sort(list)
	sum := ""
	if len(list) > 0 {
		sum = strconv.FormatUint(s.fleet.Hash([]byte(strings.Join(list, "\n"))), 36)
	}
	s.fleet.SetChanges(sum)
}
