package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// CallTimeout bounds every call to the engine but those of exact rates.
	CallTimeout = 500 * time.Millisecond
	// beatEvery is how often an instance says that it lives, and lease how long the
	// others believe that.
	beatEvery = time.Second
	lease     = 5 * time.Second
	// retryEvery is how often an engine is tried that is away.
	retryEvery = 300 * time.Millisecond
	// leaveWithin bounds the last word of an instance that ends.
	leaveWithin = CallTimeout
)

const tableMembers = "members"

// Options configure a [Fleet].
type Options struct {
	Engine Engine // the fleet's own from now on: Run closes it
	Secret []byte // the same on all instances
	Member Member // this one; ID and Since may be left out
	Log    *slog.Logger
}

// Member is an instance of a fleet.
type Member struct {
	ID      string    `json:"id"` // of the process
	Name    string    `json:"name"`
	Zone    string    `json:"zone,omitempty"`
	Version string    `json:"version,omitempty"`
	Config  string    `json:"config"`            // hash of its configuration
	Changes string    `json:"changes,omitempty"` // hash of the operators' changes in force there
	Since   time.Time `json:"since"`
	Probes  bool      `json:"probes,omitempty"` // it checks upstreams for the others too
	// Clock is how far its clock is ahead of the engine's, in whole seconds.
	Clock int `json:"clock_seconds,omitempty"`
}

// State is what an instance knows of its fleet at a moment. It is immutable.
type State struct {
	Own       string    // ID of this instance
	Connected bool      // the engine answers
	Changed   time.Time // when Connected changed last
	Err       error     // why the engine does not answer; nil while it does
	Members   []Member  // this one too, by name; while the engine is away, those known last
	Steady    []Member  // these, and those that have been gone for less than 5 s, by ID: who counts where something is divided
	Strangers int       // members that have another secret
}

// Fleet is one instance's part in a fleet. Use [New]. It is safe for concurrent use.
type Fleet struct {
	engine Engine
	id     string // of this member
	box    *box
	log    *slog.Logger
	rates  reporter
	words  *Words
	probes *Probes                 // nil = results of checks are not shared
	tables []*Words                // all, words too; not changed once Run was called
	ears   map[string]func([]byte) // by topic; not changed once Run was called
	gone   map[string]time.Time    // since when members are, by ID; of the goroutine of beat

	followers []func(*State) // of the members; not changed once Run was called

	state    atomic.Pointer[State]
	live     atomic.Int64  // len(state.Members), at least 1
	away     atomic.Bool   // !state.Connected
	offset   atomic.Int64  // nanoseconds that the engine's clock is ahead
	met      chan struct{} // closed with the first answer, or its failure
	meetOnce sync.Once
	leaving  atomic.Bool
	said     chan said // by Tell

	mu     sync.Mutex // protects the fields below
	own    Member
	sealed []byte        // own, as it is in the engine
	lost   time.Duration // that the engine was away in all, but for the present time
}

// New returns a fleet that is not connected: Run does that.
func New(o Options) (*Fleet, error) {
	b, err := newBox(o.Secret)
	if err != nil {
		return nil, err
	}
	own := o.Member
	own.ID = cmp.Or(own.ID, newID())
	if own.Since.IsZero() {
		own.Since = time.Now().Round(0).UTC()
	}
	f := &Fleet{engine: o.Engine, id: own.ID, box: b, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), own: own, ears: map[string]func([]byte){}, gone: map[string]time.Time{}, met: make(chan struct{}), said: make(chan said, maxSaid)}
	f.words = f.NewWords(tableWords)
	f.rates.init(f)
	f.away.Store(true)
	f.live.Store(1)
	f.state.Store(&State{Own: own.ID, Changed: time.Now(), Err: errNotYet, Members: []Member{own}, Steady: []Member{own}})
	return f, nil
}

var errNotYet = errors.New("not connected yet")

// State returns what is known now.
func (f *Fleet) State() *State { return f.state.Load() }

// Live returns how many instances live, as far as is known; at least 1.
func (f *Fleet) Live() int { return int(f.live.Load()) }

// Words returns what all instances have a copy of.
func (f *Fleet) Words() *Words { return f.words }

// Met returns a channel that is closed once the engine has answered, or failed to.
func (f *Fleet) Met() <-chan struct{} { return f.met }

// Lost returns how long the engine was away in all.
func (f *Fleet) Lost() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.State(); !s.Connected {
		return f.lost + time.Since(s.Changed)
	}
	return f.lost
}

// Now returns the time by the engine's clock, as it was compared last.
func (f *Fleet) Now() time.Time { return time.Now().Round(0).Add(f.Offset()) }

// Offset returns how far the engine's clock is ahead of this machine's.
func (f *Fleet) Offset() time.Duration { return time.Duration(f.offset.Load()) }

// SetConfig says what configuration this instance has now.
func (f *Fleet) SetConfig(hash string) {
	f.change(func(m *Member) { m.Config = hash })
}

// SetChanges says by a hash which of the operators' changes are in force here.
func (f *Fleet) SetChanges(hash string) {
	f.change(func(m *Member) { m.Changes = hash })
}

// change changes what the others are told of this instance, with the next beat.
func (f *Fleet) change(edit func(*Member)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.own
	edit(&f.own)
	if f.own != before {
		f.sealed = nil
	}
}

// Hear calls heard with each message of a topic, one after the other. It is called
// before Run.
func (f *Fleet) Hear(topic string, heard func(message []byte)) { f.ears[topic] = heard }

// tell sends a message to all instances, this one included.
func (f *Fleet) tell(ctx context.Context, topic string, message []byte) error {
	return f.call(ctx, func(ctx context.Context) error {
		return f.engine.Publish(ctx, topic, f.box.seal(message, "message "+topic))
	})
}

// maxSaid bounds the messages that wait to be sent.
const maxSaid = 256

type said struct {
	topic   string
	message []byte
}

// Tell sends a message to all instances, this one included. It does not wait, and drops the
// message when the engine is away, or when too many wait.
func (f *Fleet) Tell(topic string, message []byte) {
	if f.away.Load() {
		return
	}
	select {
	case f.said <- said{topic, message}:
	default:
	}
}

// say sends what Tell was given.
func (f *Fleet) say(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-f.said:
			f.tell(ctx, m.topic, m.message)
		}
	}
}

// Leave makes this instance no member from now on, while it goes on counting. It does
// not wait.
func (f *Fleet) Leave() { f.leaving.Store(true) }

// Run takes part until ctx ends, and then leaves.
func (f *Fleet) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { f.beat(ctx) })
	wg.Go(func() { f.listen(ctx) })
	wg.Go(func() { f.say(ctx) })
	for _, w := range f.tables {
		wg.Go(func() { w.run(ctx) })
	}
	wg.Go(func() { f.rates.run(ctx) })
	if f.probes != nil {
		wg.Go(func() { f.probes.run(ctx) })
	}
	wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	if f.State().Connected {
		f.engine.Delete(last, tableMembers, f.id, Any)
	}
	f.engine.Close()
}

// beat says that this instance lives, and learns who else does.
func (f *Fleet) beat(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var known uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := f.call(ctx, f.sayAlive)
		if err == nil {
			err = f.call(ctx, func(ctx context.Context) error { return f.learnMembers(ctx, &known) })
		}
		f.meetOnce.Do(func() { close(f.met) })
		pause := beatEvery
		if err != nil {
			pause = retryEvery
		}
		timer.Reset(pause*9/10 + rand.N(pause/5))
	}
}

func (f *Fleet) sayAlive(ctx context.Context) error {
	if f.leaving.Load() {
		return f.engine.Delete(ctx, tableMembers, f.id, Any)
	}
	f.mu.Lock()
	if f.sealed == nil {
		text, err := json.Marshal(f.own)
		if err != nil {
			f.mu.Unlock()
			return err
		}
		f.sealed = f.box.seal(text, tableMembers+" "+f.id)
	}
	sealed := f.sealed
	f.mu.Unlock()
	began := time.Now()
	e, err := f.engine.Put(ctx, tableMembers, f.id, sealed, Write{Revision: Any, Lease: lease})
	if err != nil {
		return err
	}
	took := time.Since(began)
	ahead := e.At.Sub(began.Round(0).Add(took / 2))
	f.offset.Store(int64(ahead))
	f.change(func(m *Member) {
		if off := time.Duration(m.Clock)*time.Second + ahead; off.Abs() > time.Second { // so that it does not go to and fro
			m.Clock = -int(ahead.Round(time.Second) / time.Second)
		}
	})
	return nil
}

func (f *Fleet) learnMembers(ctx context.Context, known *uint64) error {
	l, err := f.engine.List(ctx, tableMembers, *known)
	if err != nil {
		return err
	}
	if l.Same {
		f.settle(time.Now(), false)
		return nil
	}
	*known = l.Revision
	var members []Member
	strangers := 0
	for _, e := range l.Entries {
		var m Member
		text, err := f.box.open(e.Value, tableMembers+" "+e.Key)
		if err != nil || json.Unmarshal(text, &m) != nil {
			strangers++
			continue
		}
		members = append(members, m)
	}
	if f.leaving.Load() {
		return nil // those that were there last are shown, this one too
	}
	slices.SortFunc(members, func(a, b Member) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	f.live.Store(int64(max(len(members), 1)))
	changed := !slices.Equal(members, f.State().Members)
	f.turn(func(s *State) { s.Members, s.Strangers = members, strangers })
	f.settle(time.Now(), changed)
	return nil
}

// call calls the engine, with a bound, and notes how it does.
func (f *Fleet) call(ctx context.Context, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	err := do(bounded)
	if ctx.Err() == nil {
		f.note(err)
	}
	return err
}

// note takes how a call went. Only what is no answer says that the engine is away.
func (f *Fleet) note(err error) {
	ok := err == nil || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound)
	if ok != f.away.Load() && ok {
		return
	}
	f.mu.Lock()
	now, before := time.Now(), f.State()
	next := *before
	if next.Err = nil; !ok {
		next.Err = err
	}
	if next.Connected = ok; before.Connected != ok {
		next.Changed = now
		if ok {
			f.lost += now.Sub(before.Changed)
		}
	}
	f.away.Store(!ok)
	f.state.Store(&next)
	f.mu.Unlock()
	switch {
	case before.Connected && !ok:
		f.log.Warn("fleet: the store does not answer; this instance continues alone", "error", err.Error(), "members", len(next.Members))
	case !before.Connected && ok:
		f.log.Info("fleet: connected", "after", now.Sub(before.Changed).Round(time.Millisecond).String())
		f.lookAtWords()
	case !ok && before.Err == errNotYet:
		f.log.Warn("fleet: the store does not answer; this instance starts alone", "error", err.Error())
	}
}

// turn changes the state.
func (f *Fleet) turn(edit func(*State)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := *f.State()
	edit(&next)
	f.state.Store(&next)
}

// listen hears messages.
func (f *Fleet) listen(ctx context.Context) {
	for ctx.Err() == nil {
		f.engine.Watch(ctx, f.lookAtWords, func(topic string, message []byte) {
			text, err := f.box.open(message, "message "+topic)
			if heard := f.ears[topic]; err == nil && heard != nil {
				heard(text)
			}
		})
		pause := time.NewTimer(retryEvery + rand.N(retryEvery))
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
	}
}
