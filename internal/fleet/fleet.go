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
	// CallTimeout bounds every call to the engine, except those of exact rates.
	CallTimeout = 500 * time.Millisecond
	// beatEvery is the interval of an instance's sign of life, and lease is how long the
	// others rely on it.
	beatEvery = time.Second
	lease     = 5 * time.Second
	// retryEvery is the interval at which an unreachable engine is tried.
	retryEvery = 300 * time.Millisecond
	// leaveWithin bounds the last message of an ending instance.
	leaveWithin = CallTimeout
)

const tableMembers = "members"

// Options configure a [Fleet].
type Options struct {
	Engine Engine // owned by the fleet: Run closes it
	Secret []byte // equal on all instances
	Member Member // this instance; ID and Since may be empty
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
	Probes  bool      `json:"probes,omitempty"` // also checks upstreams for the others
	// Clock is the member's clock minus the engine's, in whole seconds.
	Clock int `json:"clock_seconds,omitempty"`
}

// State is an instance's information about its fleet at one moment. It is immutable.
type State struct {
	Own       string    // ID of this instance
	Connected bool      // the engine answers
	Changed   time.Time // last change of Connected
	Err       error     // the engine's failure; nil while it answers
	Members   []Member  // including this one, by name; while the engine is away, the last known ones
	Steady    []Member  // Members and those gone for less than 5 s, by ID; they count where the fleet divides something
	Strangers int       // members with another secret
}

// Fleet is one instance's part in a fleet. Use [New]. It is safe for concurrent use.
type Fleet struct {
	engine Engine
	id     string // of this member
	box    *box
	log    *slog.Logger
	rates  reporter
	words  *Words
	probes *Probes                 // nil = checks are not shared
	tables []*Words                // all tables, including words; unchanged once Run was called
	ears   map[string]func([]byte) // by topic; unchanged once Run was called
	gone   map[string]time.Time    // time of a member's departure, by ID; belongs to the goroutine of beat

	followers []func(*State) // of FollowMembers; unchanged once Run was called

	state    atomic.Pointer[State]
	live     atomic.Int64  // len(state.Members), at least 1
	away     atomic.Bool   // !state.Connected
	offset   atomic.Int64  // the engine's clock minus this machine's, in nanoseconds
	met      chan struct{} // closed by the first answer or failure
	meetOnce sync.Once
	leaving  atomic.Bool
	said     chan said // messages from Tell

	mu     sync.Mutex // protects the fields below
	own    Member
	sealed []byte        // own, in the sealed form
	lost   time.Duration // total time without the engine, before the present outage
}

// New returns a fleet that is not connected; Run connects it.
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

// State returns the present state.
func (f *Fleet) State() *State { return f.state.Load() }

// Live returns the number of known live instances; at least 1.
func (f *Fleet) Live() int { return int(f.live.Load()) }

// Words returns the shared values in the default table.
func (f *Fleet) Words() *Words { return f.words }

// Met returns a channel that closes once the engine has answered, or failed to.
func (f *Fleet) Met() <-chan struct{} { return f.met }

// Lost returns the total time without the engine.
func (f *Fleet) Lost() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.State(); !s.Connected {
		return f.lost + time.Since(s.Changed)
	}
	return f.lost
}

// Now returns the time by the engine's clock, as of the last comparison.
func (f *Fleet) Now() time.Time { return time.Now().Round(0).Add(f.Offset()) }

// Offset returns the engine's clock minus this machine's.
func (f *Fleet) Offset() time.Duration { return time.Duration(f.offset.Load()) }

// SetConfig publishes the hash of this instance's configuration.
func (f *Fleet) SetConfig(hash string) {
	f.change(func(m *Member) { m.Config = hash })
}

// SetChanges publishes the hash of the operators' changes in force here.
func (f *Fleet) SetChanges(hash string) {
	f.change(func(m *Member) { m.Changes = hash })
}

// change changes the published facts about this instance, with the next beat.
func (f *Fleet) change(edit func(*Member)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.own
	edit(&f.own)
	if f.own != before {
		f.sealed = nil
	}
}

// Hear calls heard with each message of a topic, one after the other. It must be called
// before Run.
func (f *Fleet) Hear(topic string, heard func(message []byte)) { f.ears[topic] = heard }

// tell sends a message to all instances, including this one.
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

// Tell sends a message to all instances, including this one. It does not wait. It drops
// the message while the engine is away, or if too many messages wait.
func (f *Fleet) Tell(topic string, message []byte) {
	if f.away.Load() {
		return
	}
	select {
	case f.said <- said{topic, message}:
	default:
	}
}

// say sends the messages of Tell.
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

// Leave removes this instance from the members; its rates continue. It does not wait.
func (f *Fleet) Leave() { f.leaving.Store(true) }

// Run takes part in the fleet until ctx ends, and then leaves.
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

// beat announces that this instance lives, and updates the members.
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
		if off := time.Duration(m.Clock)*time.Second + ahead; off.Abs() > time.Second { // avoids alternating between two values
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
		return nil // the last known members stay, including this one
	}
	slices.SortFunc(members, func(a, b Member) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	f.live.Store(int64(max(len(members), 1)))
	changed := !slices.Equal(members, f.State().Members)
	f.turn(func(s *State) { s.Members, s.Strangers = members, strangers })
	f.settle(time.Now(), changed)
	return nil
}

// call calls the engine with a timeout, and records the result.
func (f *Fleet) call(ctx context.Context, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, CallTimeout)
	defer cancel()
	err := do(bounded)
	if ctx.Err() == nil {
		f.note(err)
	}
	return err
}

// note records the result of a call. ErrConflict and ErrNotFound are answers. Any other
// error means that the engine is away.
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

// listen receives messages.
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
