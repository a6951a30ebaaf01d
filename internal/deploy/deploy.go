package deploy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
)

// deploy is a deploy, in progress or ended.
type deploy struct {
	pool string
	host Pool
	book *changes.Book
	tell func(pool string, e Event)
	by   string // who has ordered it
	why  string

	mu       sync.Mutex // protects the fields below
	progress progress
	sides    map[string]bool // by address: whether the upstream runs the new version
	began    time.Time
	ended    time.Time // zero while it is in progress
	judge    *judge
	before   int // requests that the new version had answered before the step
	seen     int // requests that the new version failed visibly for clients
	failures []Failure
	clients  clients // recent clients, with sticky sessions
	events   []Event
	told     int // number of the last event
	asked    asked
	warm     warmth
	pending  error                // the error that keeps the pool from the state of the stage; nil = none
	ready    map[string]time.Time // by address of a new upstream: last time that it took requests
	poke     chan struct{}
	lone     bool // an event has said that only the new upstreams take requests; belongs to run
}

// Event is an event of a deploy.
type Event struct {
	N     int       `json:"n"` // ascending from 1, also across restarts
	Time  time.Time `json:"time"`
	Stage Stage     `json:"stage"`
	Text  string    `json:"text"`
	Bad   bool      `json:"bad,omitempty"` // needs attention
}

// maxEvents bounds the kept events of a deploy.
const maxEvents = 100

// tick is the interval at which a deploy looks at its pool.
const tick = 100 * time.Millisecond

func newDeploy(pool string, host Pool, book *changes.Book, p progress) *deploy {
	d := &deploy{pool: pool, host: host, book: book, progress: p, began: p.Since, judge: newJudge(),
		sides: map[string]bool{}, ready: map[string]time.Time{}, poke: make(chan struct{}, 1)}
	d.judge.ignore = p.Ignore
	for _, origin := range p.New {
		d.ready[origin] = p.Since
	}
	d.takeSides(host.Members())
	return d
}

// run continues the deploy until it has ended, or until ctx ends.
func (d *deploy) run(ctx context.Context) {
	var warmUp sync.WaitGroup
	defer warmUp.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		stage, over := d.advance(time.Now())
		if over {
			return
		}
		if stage == Warming && d.startWarming() {
			warmUp.Go(func() { d.warmUp(ctx) })
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-d.poke:
		}
	}
}

// advance brings the pool into the state of the stage, and enters the next stage when it
// is time.
func (d *deploy) advance(now time.Time) (stage Stage, over bool) {
	d.mu.Lock()
	p, pending := d.progress, d.pending
	d.mu.Unlock()
	if pending != nil && !d.settle(p) {
		return p.Stage, false
	}
	if p.Stage.Over() {
		return p.Stage, d.conclude(now)
	}
	s := d.look(now)
	m, ok := p.next(now, s)
	if !ok {
		if p.Stage == Returning && s.settled.ready == 0 && !d.lone {
			d.lone = true
			d.note(now, p.Stage, "no old upstream can take requests, so the new ones stay until one can", true)
		}
		return p.Stage, false
	}
	p.enter(m, now)
	if err := d.keep(p); err != nil { // goodgate is about to be replaced: the next process continues
		return d.progress.Stage, false
	}
	d.mu.Lock()
	d.progress, d.pending = p, errPending
	d.before = d.judge.figures[1].Requests
	d.judge.alone = p.share() == 1
	if d.asked == promote {
		d.asked = nothing
	}
	d.mu.Unlock()
	d.note(now, p.Stage, m.text, m.why != nil)
	d.settle(p)
	return p.Stage, false
}

var errPending = errors.New("not done yet")

// settle brings the pool into the state of the stage, and reports whether it succeeded.
func (d *deploy) settle(p progress) bool {
	err := apply(d.host, p, d.by)
	d.mu.Lock()
	first := err != nil && (d.pending == nil || d.pending.Error() != err.Error())
	d.pending = err
	d.mu.Unlock()
	if first {
		d.note(time.Now(), p.Stage, "cannot finish yet: "+err.Error(), true)
	}
	return err == nil
}

// apply brings a pool into the state of a stage. It is idempotent.
func apply(host Pool, p progress, by string) error {
	w := wanted[p.Stage]
	if share := p.share(); share < 0 {
		defer host.Introduce(nil) // after the other upstreams have left
	} else {
		host.Introduce(&balancer.Introduction{Upstreams: p.New, Share: share, Replayable: p.Stage == Shifting && p.Step == 0})
	}
	var errs []error
	for i, origin := range p.New {
		url := ""
		if p.Stage == Adding {
			url = p.To[min(i, len(p.To)-1)]
		}
		errs = append(errs, host.Stand(origin, url, w.fresh != gone, w.fresh == drained, by))
	}
	for _, origin := range p.Old {
		errs = append(errs, host.Stand(origin, "", w.settled != gone, w.settled == drained, by))
	}
	return errors.Join(errs...)
}

// conclude ends a finished deploy whose pool is in its final state.
func (d *deploy) conclude(now time.Time) bool {
	if c, ok := d.book.Find(d.subject()); ok {
		if _, err := d.book.TakeBack(c.ID, cmp.Or(d.by, "goodgate"), "the deploy has ended: "+d.progress.Stage.String()); err != nil {
			return false
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = now
	return true
}

func (d *deploy) subject() changes.Subject {
	return changes.Subject{Kind: changes.Deploy, Pool: d.pool}
}

// keep writes the progress into the book.
func (d *deploy) keep(p progress) error {
	d.mu.Lock()
	p.Told = d.told + 1 // counts the event of this move
	d.mu.Unlock()
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = d.book.Put(changes.Change{Subject: d.subject(), Value: value, By: cmp.Or(d.by, "goodgate"), Why: d.why, At: d.began})
	return err
}

// look returns the present state of the pool.
func (d *deploy) look(now time.Time) sight {
	members := d.host.Members()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := sight{asked: d.asked, warm: d.warm, usual: d.judge.old.known.p95}
	s.verdict, s.suspect = d.judge.verdict(), d.judge.suspects()
	s.answered = d.judge.figures[1].Requests - d.before
	d.takeSides(members)
	s.fresh = d.crowd(members, d.progress.New, now)
	s.settled = d.crowd(members, d.progress.Old, now)
	for _, m := range members {
		if d.sides[m.Addr] && m.Waiting >= silentAtOnce {
			s.waits = max(s.waits, m.Waits)
		}
	}
	return s
}

// takeSides records the version of each member. Members that have left keep their side,
// because reports on their last requests still arrive. mu must be held, unless d is not
// shared yet.
func (d *deploy) takeSides(members []Member) {
	for _, m := range members {
		switch {
		case slices.Contains(d.progress.New, m.Origin):
			d.sides[m.Addr] = true
		case slices.Contains(d.progress.Old, m.Origin):
			d.sides[m.Addr] = false
		}
	}
}

// crowd summarises the members of some origins. mu must be held.
func (d *deploy) crowd(members []Member, origins []string, now time.Time) (c crowd) {
	for _, origin := range origins {
		found, down := 0, ""
		for _, m := range members {
			if m.Origin != origin {
				continue
			}
			found++
			c.inFlight += m.InFlight
			if !m.Ready {
				down = m.Addr + ": " + m.Why
			}
		}
		switch {
		case found == 0:
			c.missing = append(c.missing, origin)
		case down == "":
			c.ready++
			d.ready[origin] = now
		default:
			c.down = append(c.down, trouble{down, now.Sub(d.ready[origin])})
		}
	}
	slices.SortStableFunc(c.down, func(a, b trouble) int { return cmp.Compare(b.since, a.since) })
	return c
}

// note records an event and publishes it.
func (d *deploy) note(now time.Time, stage Stage, text string, bad bool) {
	d.mu.Lock()
	d.told++
	e := Event{N: d.told, Time: now, Stage: stage, Text: text, Bad: bad}
	if len(d.events) == maxEvents {
		d.events = slices.Delete(d.events, 1, 2)
	}
	d.events = append(d.events, e)
	d.mu.Unlock()
	if d.tell != nil {
		d.tell(d.pool, e)
	}
}

// want records an operator's request, with its author.
func (d *deploy) want(a asked, by string) error {
	stage, err := d.take(a)
	if err == nil {
		d.note(time.Now(), stage, fmt.Sprintf("%s asks to %s", cmp.Or(by, "an operator"), askedFor[a]), a == back)
		d.wake()
	}
	return err
}

func (d *deploy) take(a asked) (Stage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	stage := d.progress.Stage
	switch {
	case d.progress.Stage.Over() || !d.ended.IsZero():
		return stage, fmt.Errorf("%w: the deploy to pool %s has ended", ErrNoDeploy, d.pool)
	case d.progress.Stage == Returning && a == promote:
		return stage, conflict("the deploy to pool %s is rolling back", d.pool)
	case a == promote && d.progress.Stage < Shifting:
		return stage, conflict("the deploy to pool %s is in stage %s: promote it once its upstreams get requests", d.pool, d.progress.Stage)
	}
	d.asked = a
	return stage, nil
}

// wake makes run look at once.
func (d *deploy) wake() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// startWarming reports whether the warm-up must begin.
func (d *deploy) startWarming() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.warm.begun {
		return false
	}
	d.warm.begun = true
	if d.progress.Warm == "" {
		d.warm.done = true
	}
	return !d.warm.done
}

// warmBound bounds a warm-up request.
const warmBound = 10 * time.Second

// warmUp requests the warm-up path from all new upstreams concurrently, and from each one
// sequentially, as often as the plan says.
func (d *deploy) warmUp(ctx context.Context) {
	d.mu.Lock()
	p := d.progress
	d.mu.Unlock()
	errs := make([]error, len(p.New))
	var wg sync.WaitGroup
	for i, origin := range p.New {
		wg.Go(func() {
			for range p.WarmTimes {
				ctx, cancel := context.WithTimeout(ctx, warmBound)
				err := d.host.Ask(ctx, origin, p.Warm)
				cancel()
				if err != nil {
					errs[i] = fmt.Errorf("GET %s from %s: %w", p.Warm, origin, err)
					return
				}
			}
		})
	}
	wg.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.warm.done, d.warm.err = true, errors.Join(errs...)
}
