package changes

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a [Book].
type Options struct {
	File string       // file of the book; empty = in memory only
	Log  *slog.Logger // gets a record of each change; nil = none
	// Inherit has the changes of the previous process, which win over the file; nil =
	// there was none.
	Inherit []Change
}

// Book has the active changes.
type Book struct {
	log   *slog.Logger
	inUse atomic.Pointer[pages]
	soon  chan struct{} // wakes Run
	told  queue

	mu     sync.Mutex // held while the book is changed, and written; protects the fields below
	file   string     // empty = memory only
	failed error      // why the file does not have all active changes; nil = it has them
	tried  time.Time  // time of the last attempt to write
	frozen error      // why changes are refused; nil = they are accepted
}

// pages are the active changes at one moment. They are immutable.
type pages struct {
	by   map[Subject]Change
	list []Change // oldest first
	kept error    // as Book.Kept
}

// Open reads the book. It always succeeds: an unusable file is set aside or left alone,
// the log has an error, and the book starts with the readable changes.
func Open(o Options) *Book {
	b := &Book{log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), soon: make(chan struct{}, 1), file: o.File}
	b.told.more = sync.NewCond(&b.told.mu)
	list := o.Inherit
	if list == nil {
		list = b.read()
	} else if b.file != "" {
		b.failed = errNotWritten // until it is written
	}
	next := make(map[Subject]Change, len(list))
	for _, c := range list {
		switch {
		case c.over(time.Now()): // while goodgate was not running
			b.record(Event{What: Expired, Change: c})
		case !c.lasts():
			b.record(Event{What: TakenBack, Change: c, By: "goodgate", Why: "a new process starts without it"})
		default:
			next[c.Subject] = c
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(next) < len(list) || b.failed != nil {
		b.write(next)
	}
	b.turn(next)
	return b
}

// Put activates a change, in place of the present one of its subject. The book sets its
// ID, and its time if there is none. When Put returns, the change is in the file. If
// writing failed, it is still active, and [Book.Kept] returns the cause: an operator may
// have to drain an upstream while a disk is full. Followers have received the change.
//
// An error wraps [ErrInvalid], [ErrFull] or [ErrFrozen]; nothing has changed then.
func (b *Book) Put(c Change) (Change, error) {
	defer b.tellAndWait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frozen != nil {
		return c, b.frozen
	}
	now := time.Now()
	if c.At.IsZero() {
		c.At = now
	}
	before := b.inUse.Load()
	c.ID = before.newID()
	c, err := c.normal()
	switch {
	case err != nil:
		return c, err
	case !c.Kind.Known():
		return c, invalid("there is no kind %q; the kinds are %v", c.Kind, Kinds())
	case c.over(now):
		return c, invalid("its end %s is in the past", c.Until.Format(time.RFC3339))
	}
	next := maps.Clone(before.by)
	next[c.Subject] = c
	if len(next) > MaxChanges {
		return c, fmt.Errorf("%w: %d, which is the limit; undo some", ErrFull, MaxChanges)
	}
	b.write(next)
	b.turn(next)
	b.note(Event{What: Put, Change: c, By: c.By, Why: c.Why})
	return c, nil
}

// TakeBack ends a change on behalf of by, for the reason why. When it returns, followers
// know. An error wraps [ErrUnknown] or [ErrFrozen].
func (b *Book) TakeBack(id, by, why string) (Change, error) {
	defer b.tellAndWait()
	return b.end(TakenBack, by, why, func(c Change) bool { return c.ID == id }, id)
}

// Overrule ends a change because the configuration file now has another value for its
// subject; why describes it. It does not wait for followers. An error wraps [ErrUnknown]
// or [ErrFrozen].
func (b *Book) Overrule(id, why string) (Change, error) {
	return b.end(Overruled, "configuration", why, func(c Change) bool { return c.ID == id }, id)
}

func (b *Book) end(what What, by, why string, is func(Change) bool, id string) (Change, error) {
	defer b.tell()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frozen != nil {
		return Change{}, b.frozen
	}
	before := b.inUse.Load()
	at := slices.IndexFunc(before.list, is)
	if at < 0 {
		return Change{}, fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	c := before.list[at]
	next := maps.Clone(before.by)
	delete(next, c.Subject)
	b.write(next)
	b.turn(next)
	b.note(Event{What: what, Change: c, By: by, Why: why})
	return c, nil
}

// Find returns the active change of a subject. It takes no lock.
func (b *Book) Find(s Subject) (Change, bool) {
	c, ok := b.inUse.Load().by[s]
	return c, ok
}

// All returns the active changes, oldest first. The slice is shared and must not be
// changed. It takes no lock.
func (b *Book) All() []Change { return b.inUse.Load().list }

// Kept returns nil if the file has all active changes, else why a restart loses some:
// [ErrMemoryOnly], or the error of the file system.
func (b *Book) Kept() error { return b.inUse.Load().kept }

// Freeze makes the book refuse changes, with an error that wraps [ErrFrozen], and end
// none, because another process is about to take over. It returns the active changes.
func (b *Book) Freeze(why string) []Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frozen = fmt.Errorf("%w: %s", ErrFrozen, why)
	return b.inUse.Load().list
}

// Thaw ends Freeze.
func (b *Book) Thaw() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frozen = nil
	now := b.inUse.Load().by
	b.write(now) // the other process may have written it
	b.turn(now)
}

// turn activates the next set. mu must be held.
func (b *Book) turn(next map[Subject]Change) {
	p := &pages{by: next, list: slices.SortedFunc(maps.Values(next), older), kept: b.failed}
	if b.file == "" {
		p.kept = ErrMemoryOnly
	}
	b.inUse.Store(p)
	b.wake()
}

func older(a, b Change) int {
	return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID))
}

func (b *Book) wake() {
	select {
	case b.soon <- struct{}{}:
	default:
	}
}

// idLength is the length of an ID. Its 30 bits are short enough to type.
const idLength = 6

// newID returns an unused ID.
func (p *pages) newID() string {
	for {
		id := strings.ToLower(rand.Text()[:idLength])
		if !slices.ContainsFunc(p.list, func(c Change) bool { return c.ID == id }) {
			return id
		}
	}
}

const (
	// retryEvery is the interval of attempts to write the file after a failure.
	retryEvery = 30 * time.Second
	// lookEvery bounds the wait for the end of a change: a timer stops while the
	// machine sleeps, and does not follow a clock adjustment.
	lookEvery = time.Minute
)

// Run ends expired changes, and retries failed writes, until ctx ends.
func (b *Book) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.soon:
		case <-timer.C:
		}
		timer.Reset(b.look())
	}
}

// look ends expired changes, and returns the time until the next one.
func (b *Book) look() time.Duration {
	defer b.tell()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frozen != nil {
		return lookEvery
	}
	now, before := time.Now(), b.inUse.Load()
	next, wait := maps.Clone(before.by), lookEvery
	var ended []Change
	for _, c := range before.list {
		switch {
		case c.over(now):
			delete(next, c.Subject)
			ended = append(ended, c)
		case !c.Until.IsZero():
			wait = min(wait, c.Until.Sub(now.Round(0)))
		}
	}
	if len(ended) > 0 || b.failed != nil && now.Sub(b.tried) >= retryEvery {
		b.write(next)
		b.turn(next)
	}
	for _, c := range ended {
		b.note(Event{What: Expired, Change: c})
	}
	if b.failed != nil {
		wait = min(wait, retryEvery-now.Sub(b.tried))
	}
	return max(wait, 0)
}
