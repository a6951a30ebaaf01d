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
	// toldFor is how long the store remembers a sent event.
	toldFor = 10 * time.Minute
	// waitGap is the interval at which waiting events are decided again.
	waitGap = time.Second
	// maxWait is how long an event waits for another instance to send it.
	maxWait = 5 * time.Minute
	// maxElected bounds the waiting events. An instance sends events beyond it without
	// asking the fleet.
	maxElected = 256
)

// elected makes one instance send an event that all instances see. Each instance claims
// the subject of the event, for example an upstream. The instance with the claim sends
// the event and leaves a note in the store. The others wait for the note, and send if the
// sender dies or fails. Without the store every instance sends: better twice than never.
type elected struct {
	fleet *fleet.Fleet
	queue chan election
	// seen maps another instance's claim to the time when its event replaced one of this
	// instance, so that it replaces only one. Only the goroutine of run touches it.
	seen map[string]time.Time
}

// sentEvent is the store's record of a sent event.
type sentEvent struct {
	Type  string    `json:"type"`
	Claim string    `json:"claim"`
	By    string    `json:"by"` // ID of the member
	At    time.Time `json:"at"` // by the store's clock
}

const (
	// maxSent is how many events of one subject the store remembers.
	maxSent = 4
	// sentSlack is how much earlier another instance may have seen the same event.
	sentSlack = 2 * time.Second
)

// election is an event for one instance to send.
type election struct {
	webhook.Event
	send  func(webhook.Event, func(delivered bool))
	since time.Time // by the store's clock
}

func newElected(f *fleet.Fleet) *elected {
	return &elected{fleet: f, queue: make(chan election, maxElected), seen: map[string]time.Time{}}
}

// subject returns what an event is about. Events of one subject alternate, for example
// that an upstream is down and that it is up.
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

// tell makes one instance of the fleet send an event. It does not wait.
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

// run decides about events until ctx ends.
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
			// Waiting events go first: one of them may have the same subject.
			if e.among(waiting, one) || !e.decide(ctx, one) {
				waiting = append(waiting, one)
			}
		case <-ticker.C:
			waiting = e.again(ctx, waiting)
			e.forget()
		}
	}
}

// rest sends the events that are still in the queue.
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

// again decides about the waiting events, and returns those that must wait longer.
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

// decide sends an event, or drops it because another instance has sent it. It returns
// false if the decision must wait.
func (e *elected) decide(ctx context.Context, one election) bool {
	name, over := subject(one.Event), uint64(0)
	var before []sentEvent
	for range 3 { // an entry may expire or change meanwhile
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
			return false // another instance is sending it
		}
		if json.Unmarshal(taken.Note, &before) == nil && e.stands(before, one) {
			return true
		}
		over = taken.Revision
	}
	one.send(one.Event, nil)
	return true
}

// stands reports whether another instance has sent this event: the last one of the
// subject, or one sent after this one was seen.
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

// sent ends a claim: with a note for the other instances if the event was delivered,
// otherwise so that another instance tries.
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

// forget drops old entries of seen.
func (e *elected) forget() {
	for claim, at := range e.seen {
		if time.Since(at) > 2*toldFor {
			delete(e.seen, claim)
		}
	}
}
