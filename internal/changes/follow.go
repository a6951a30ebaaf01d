package changes

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// A What is the kind of an event.
type What string

const (
	Put       What = "put"        // the change is active
	TakenBack What = "taken back" // somebody has ended it
	Expired   What = "expired"    // it has expired
	Overruled What = "overruled"  // the configuration file now has another value
)

// Event is the begin or the end of a change.
type Event struct {
	What   What
	Change Change
	By     string // who has made or ended the change; empty if it expired
	Why    string
}

// queue has the events that followers have not received yet.
type queue struct {
	mu        sync.Mutex // protects the fields below
	events    []Event
	followers []*func(Event) // replaced, never changed
	busy      bool           // a goroutine is calling followers
	noted     int64          // number of events so far
	passed    int64          // number of those that followers have received
	more      *sync.Cond     // signals that passed has grown
}

// Follow calls f for each further event: in order, one at a time, without a lock, from
// a goroutine that has changed the book. f may read the book, and call [Book.Overrule];
// it receives the events of its own changes after it has returned. It must not call the
// other methods that change the book, because they wait for f. After stop, f is not
// called any more, except for a call in progress.
func (b *Book) Follow(f func(Event)) (stop func()) {
	q := &b.told
	q.mu.Lock()
	defer q.mu.Unlock()
	q.followers = append(slices.Clone(q.followers), &f)
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.followers = slices.DeleteFunc(slices.Clone(q.followers), func(other *func(Event)) bool { return other == &f })
	}
}

// note writes an event to the log and queues it. mu must be held, so that events are in
// the order of the changes.
func (b *Book) note(e Event) {
	b.record(e)
	b.told.mu.Lock()
	defer b.told.mu.Unlock()
	b.told.events = append(b.told.events, e)
	b.told.noted++
}

func (b *Book) record(e Event) {
	b.log.LogAttrs(context.Background(), slog.LevelInfo, "change", e.attrs()...)
}

// tell passes all queued events to followers, unless another goroutine does.
func (b *Book) tell() {
	q := &b.told
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy {
		return
	}
	q.busy = true
	defer func() { q.busy = false }()
	for len(q.events) > 0 {
		e, followers := q.events[0], q.followers
		q.events = q.events[1:]
		q.inform(followers, e)
		q.passed++
		q.more.Broadcast()
	}
	q.events = nil
}

// tellAndWait returns when followers have received all events noted so far.
func (b *Book) tellAndWait() {
	b.tell()
	q := &b.told
	q.mu.Lock()
	defer q.mu.Unlock()
	for n := q.noted; q.passed < n; {
		q.more.Wait()
	}
}

// inform calls the followers without the queue's lock.
func (q *queue) inform(followers []*func(Event), e Event) {
	q.mu.Unlock()
	defer q.mu.Lock()
	for _, f := range followers {
		(*f)(e)
	}
}

// attrs returns the attributes of the log record.
func (e Event) attrs() []slog.Attr {
	c := e.Change
	list := []slog.Attr{slog.String("what", string(e.What)), slog.String("id", c.ID), slog.String("kind", string(c.Kind))}
	for _, a := range [][2]string{{"pool", c.Pool}, {"upstream", c.Upstream}, {"route", c.Route}, {"fault", c.Fault}, {"value", c.Words()}, {"by", e.By}, {"note", e.note()}, {"why", e.Why}} {
		if a[1] != "" {
			list = append(list, slog.String(a[0], a[1]))
		}
	}
	if e.What == Put && !c.Until.IsZero() {
		list = append(list, slog.String("until", c.Until.Format(time.RFC3339)))
	}
	return list
}

func (e Event) note() string {
	if e.What == Put {
		return e.Change.Note
	}
	return ""
}
