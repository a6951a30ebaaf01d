package gate

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/webhook"
)

const (
	// toldFor is how long the fleet remembers that an event was sent.
	toldFor = 10 * time.Minute
	// waitGap is between two looks at who sends an event.
	waitGap = time.Second
	// maxWait is how long an event waits for another to be sent.
	maxWait = 5 * time.Minute
	// maxElected bounds the events that wait; those beyond are sent without asking.
	maxElected = 256
)

// elected lets one instance send an event that all see. Each claims what the event is
// about, such as an upstream. Who has the claim sends, and leaves a note of it in the
// store. The others wait for the note, and send if the sender dies or fails. Without the
// store each sends: better twice than never.
type elected struct {
	fleet *fleet.Fleet
	queue chan election
	// seen is when an event that another has sent stood for one of this instance, by the
	// other's claim, so that each stands for one only. It belongs to the goroutine of run.
	seen map[string]time.Time
}

// sentEvent is what the store has of an event that was sent.
type sentEvent struct {
	Type  string    `json:"type"`
	Claim string    `json:"claim"`
	By    string    `json:"by"` // ID of the member
	At    time.Time `json:"at"` // by the store's clock
}

const (
	// maxSent is how many events of a subject are remembered.
	maxSent = 4
	// sentSlack is how much earlier than an instance another may have seen the same.
	sentSlack = 2 * time.Second
)

// election is an event that is to be sent by one.
type election struct {
	webhook.Event
	send  func(webhook.Event, func(delivered bool))
	since time.Time // by the store's clock
}

func newElected(f *fleet.Fleet) *elected {
	return &elected{fleet: f, queue: make(chan election, maxElected), seen: map[string]time.Time{}}
}

// subject is what an event is about: events of one subject take turns, such as that an
// upstream is down and that it is up.
func subject(e webhook.Event) string {
	kind := e.Type
	switch e.Type {
	case "upstream_down", "upstream_up":
		kind = "upstream"
	case "pool_below_floor", "pool_above_floor":
		kind = "floor"
	case "pool_saturated", "pool_relieved":
		kind = "saturation"
	}
	return "event " + kind + "\n" + e.Pool + "\n" + e.Upstream
}

// tell has an event sent by one instance. It does not wait.
func (e *elected) tell(event webhook.Event, send func(webhook.Event, func(bool))) {
	if event.Time.IsZero() {
		event.Time = time.Now()
	}
	select {
	case e.queue <- election{event, send, e.fleet.Now()}:
	default:
		send(event, nil)
	}
}

// run decides who sends until ctx ends.
func (e *elected) run(ctx context.Context) {
	var waiting []election
	ticker := time.NewTicker(waitGap)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			e.rest()
			return
		case one := <-e.queue:
			// Events that wait go first: one of the same subject may be among them.
			if e.among(waiting, one) || !e.decide(ctx, one) {
				waiting = append(waiting, one)
			}
		case <-ticker.C:
			waiting = e.again(ctx, waiting)
			e.forget()
		}
	}
}

// rest sends what nobody has been asked about yet.
func (e *elected) rest() {
	for {
		select {
		case one := <-e.queue:
			one.send(one.Event, nil)
		default:
			return
		}
	}
}

func (e *elected) among(waiting []election, one election) bool {
	for _, w := range waiting {
		if subject(w.Event) == subject(one.Event) {
			return true
		}
	}
	return false
}

// again decides about the events that wait, and returns those that go on waiting.
func (e *elected) again(ctx context.Context, waiting []election) (still []election) {
	for i, one := range waiting {
		switch {
		case e.fleet.Now().Sub(one.since) > maxWait || len(waiting)-i > maxElected:
			one.send(one.Event, nil)
		case e.among(still, one) || !e.decide(ctx, one):
			still = append(still, one)
		}
	}
	return still
}

// decide sends an event, or drops it because another instance has sent it. It returns false
// if that cannot be said yet.
func (e *elected) decide(ctx context.Context, one election) bool {
	name, over := subject(one.Event), uint64(0)
	var before []sentEvent
	for range 3 { // an entry may end, or change, just then
		if !e.fleet.State().Connected {
			break
		}
		claim, err := e.fleet.Claim(ctx, name, over)
		if err == nil {
			one.send(one.Event, func(delivered bool) { e.sent(claim, before, one.Type, delivered) })
			return true
		}
		over, before = 0, nil
		if errors.Is(err, fleet.ErrNotFound) {
			continue
		}
		taken, ok := errors.AsType[*fleet.Claimed](err)
		if !ok {
			break
		}
		if len(taken.Note) == 0 {
			return false // it is being sent
		}
		if json.Unmarshal(taken.Note, &before) == nil && e.stands(before, one) {
			return true
		}
		over = taken.Revision
	}
	one.send(one.Event, nil)
	return true
}

// stands reports whether an event that another instance has sent is this one too: the last
// of the subject, or one that was sent after this one was seen.
func (e *elected) stands(sent []sentEvent, one election) bool {
	for i, s := range sent {
		if s.Type != one.Type || s.By == e.fleet.State().Own || !e.seen[s.Claim].IsZero() {
			continue
		}
		if i == len(sent)-1 || s.At.After(one.since.Add(-sentSlack)) {
			e.seen[s.Claim] = time.Now()
			return true
		}
	}
	return false
}

// sent ends a claim: with a note for the others, or so that another instance tries.
func (e *elected) sent(claim *fleet.Claim, before []sentEvent, what string, delivered bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(claim.Context()), fleet.CallTimeout)
	defer cancel()
	if delivered {
		before = append(before, sentEvent{what, claim.ID(), e.fleet.State().Own, e.fleet.Now()})
	}
	note, err := json.Marshal(before[max(0, len(before)-maxSent):])
	if err != nil || len(before) == 0 {
		claim.Release(ctx)
		return
	}
	claim.Leave(ctx, note, toldFor)
}

// forget drops what no longer matters.
func (e *elected) forget() {
	for claim, at := range e.seen {
		if time.Since(at) > 2*toldFor {
			delete(e.seen, claim)
		}
	}
}
