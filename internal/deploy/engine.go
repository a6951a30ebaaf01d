package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
)

// Pool is what a deploy works on. It is safe for concurrent use.
type Pool interface {
	// Check returns why the pool cannot be deployed to; nil if it can.
	Check() error
	// Lookup returns the origin that the members of a URL will have.
	Lookup(url string) (origin string, err error)
	Members() []Member
	// KeepsClients reports whether a client stays with its upstream, by the pool's policy.
	KeepsClients() bool
	// Stand makes the upstreams of an origin members of the pool, or none, and drains them or
	// not. It may be called again with the same. url is what those are added by that are no
	// members; empty = they stay away. What operators have said themselves of an upstream
	// stays as it is: one that they have drained is not made ready.
	Stand(origin, url string, member, drained bool, by string) error
	Introduce(*balancer.Introduction)
	// Ask sends a request of goodgate's own to each member of an origin. An answer below 500
	// is no error.
	Ask(ctx context.Context, origin, path string) error
}

// Member is an upstream as a deploy sees it.
type Member struct {
	Origin   string // host:port of the URL that it was found by: its address, or a name
	Addr     string
	Tier     int
	Ready    bool          // takes requests
	Why      string        // not, when it is not
	InFlight int           // requests
	Waiting  int           // requests that have no answer yet
	Waits    time.Duration // for which it has answered none of them
}

// Options configure an [Engine].
type Options struct {
	Book *changes.Book
	Find func(pool string) (Pool, bool)
	// Tell is told of each event of a deploy; nil = nobody is. It must not call back.
	Tell func(pool string, e Event)
}

// Engine has the deploys of a goodgate: at most one for each pool at a time. It is safe for
// concurrent use. Use New.
type Engine struct {
	opts   Options
	active atomic.Pointer[map[string]*deploy] // those under way, for Observe; nil = there are none

	mu    sync.Mutex         // protects the fields below
	by    map[string]*deploy // by pool: the one under way, else the last
	ctx   context.Context    // of Run; nil before and after
	tasks sync.WaitGroup
}

// maxKept bounds the deploys that are over and still shown.
const maxKept = 100

// New returns an engine without deploys.
func New(o Options) *Engine { return &Engine{opts: o, by: map[string]*deploy{}} }

// Resume takes up the deploys that a process before this one has begun. It is called once,
// when the pools have their members and before clients are served, so that no request goes
// by a share that the deploy does not want.
//
// A deploy whose new upstreams had no clients yet begins anew. One that was shifting goes on
// one step before, since what was known of the new version is lost; so does one that was
// watching. One that was draining or going back goes on with that.
func (e *Engine) Resume() {
	for _, c := range e.opts.Book.All() {
		if c.Kind != changes.Deploy {
			continue
		}
		var p progress
		host, ok := e.opts.Find(c.Pool)
		err := json.Unmarshal(c.Value, &p)
		if err == nil && (len(p.New) == 0 || len(p.To) == 0 || p.Stage >= stages || len(p.Steps) == 0) {
			err = fmt.Errorf("it is not whole")
		}
		if err != nil || !ok {
			e.forsake(c, err)
			continue
		}
		now := time.Now()
		was := p.Stage
		p.Stage, p.Step = p.resumed()
		p.Since = now
		d := newDeploy(c.Pool, host, e.opts.Book, p)
		d.by, d.why, d.tell, d.began, d.told, d.pending = c.By, c.Why, e.opts.Tell, c.At, p.Told, errPending
		for _, a := range p.New {
			d.ready[a] = now.Add(resumedFor - downFor)
		}
		d.note(now, p.Stage, fmt.Sprintf("taken up by a new process: it was %s, and goes on %s", was, p.where()), true)
		if share := p.share(); share >= 0 {
			host.Introduce(&balancer.Introduction{Upstreams: p.New, Share: share, Replayable: p.Stage == Shifting && p.Step == 0})
		}
		e.mu.Lock()
		e.by[c.Pool] = d
		e.publish()
		e.mu.Unlock()
	}
}

// forsake ends a deploy that cannot be taken up. The pool stays as its other changes say.
func (e *Engine) forsake(c changes.Change, err error) {
	text := fmt.Sprintf("pool %s is no longer configured: its deploy has ended", c.Pool)
	if err != nil {
		text = fmt.Sprintf("the deploy cannot be taken up: %v; see goodgate changes for what it left", err)
	}
	e.opts.Book.TakeBack(c.ID, "goodgate", text)
	if e.opts.Tell != nil {
		e.opts.Tell(c.Pool, Event{N: 1, Time: time.Now(), Stage: Returning, Text: text, Bad: true})
	}
}

// Run goes on with the deploys until ctx ends, and returns when nothing is under way any
// more. What has not ended goes on in the next process.
func (e *Engine) Run(ctx context.Context) {
	e.mu.Lock()
	e.ctx = ctx
	for _, d := range e.by {
		e.start(d)
	}
	e.mu.Unlock()
	<-ctx.Done()
	e.mu.Lock()
	e.ctx = nil
	e.mu.Unlock()
	e.tasks.Wait()
}

// start runs a deploy. Called with mu held.
func (e *Engine) start(d *deploy) {
	ctx := e.ctx
	e.tasks.Go(func() {
		d.run(ctx)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.publish()
	})
}

// publish makes Observe know the deploys that are under way. Called with mu held.
func (e *Engine) publish() {
	active := map[string]*deploy{}
	for pool, d := range e.by {
		if d.underWay() {
			active[pool] = d
		}
	}
	if len(active) == 0 {
		e.active.Store(nil)
		return
	}
	e.active.Store(&active)
}

func (d *deploy) underWay() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended.IsZero()
}

// Order begins a deploy, and returns how it stands. by says who asks for it.
func (e *Engine) Order(o Order, by string) (View, error) {
	plan, err := o.plan()
	if err != nil {
		return View{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx == nil || e.ctx.Err() != nil {
		return View{}, conflict("goodgate is starting or shutting down")
	}
	if d := e.by[o.Pool]; d != nil && d.underWay() {
		return View{}, conflict("a deploy to pool %s is under way: %s; end it with `goodgate deploy back %s` or `goodgate deploy promote %s`", o.Pool, d.stage(), o.Pool, o.Pool)
	}
	host, ok := e.opts.Find(o.Pool)
	if !ok {
		return View{}, fmt.Errorf("%w: %q", ErrNoPool, o.Pool)
	}
	p, err := newProgress(plan, o.Pool, host)
	if err != nil {
		return View{}, err
	}
	d := newDeploy(o.Pool, host, e.opts.Book, p)
	d.by, d.why, d.tell = by, o.Why, e.opts.Tell
	if o.DryRun {
		return d.view(0), nil
	}
	d.pending = errPending
	if err := d.keep(p); err != nil {
		return View{}, conflict("%v", err)
	}
	e.by[o.Pool] = d
	e.forget()
	e.publish()
	d.note(p.Since, Adding, fmt.Sprintf("%s in the place of %s", list(p.New), list(p.Old)), false)
	if err := e.opts.Book.Kept(); err != nil {
		d.note(p.Since, Adding, fmt.Sprintf("when goodgate ends, the pool is as its file says: %v", err), true)
	}
	e.start(d)
	return d.view(0), nil
}

// newProgress finds out whom a deploy is about.
func newProgress(plan Plan, pool string, host Pool) (p progress, err error) {
	if err := host.Check(); err != nil {
		return p, conflict("%v", err)
	}
	p = progress{Plan: plan, Since: time.Now()}
	members := host.Members()
	for _, url := range plan.To {
		origin, err := host.Lookup(url)
		if err != nil {
			return p, wrong("to: %v", err)
		}
		if slices.ContainsFunc(members, func(m Member) bool { return m.Origin == origin || m.Addr == origin }) {
			return p, conflict("%s is an upstream of pool %s already: give the new version an address of its own, or let `goodgate deploy %s --to %s --restart COMMAND` replace it in place", origin, pool, pool, url)
		}
		if slices.Contains(p.New, origin) {
			return p, wrong("to: %s is named twice", origin)
		}
		p.New = append(p.New, origin)
	}
	lowest := 0
	for i, m := range members {
		if i == 0 || m.Tier < lowest {
			lowest = m.Tier
		}
	}
	for _, m := range members {
		if m.Tier == lowest && !slices.Contains(p.Old, m.Origin) {
			p.Old = append(p.Old, m.Origin)
		}
	}
	switch {
	case len(p.Old) == 0:
		return p, conflict("pool %s has no upstream to replace: add the first with `goodgate upstream add`", pool)
	case len(p.Old) > maxOld:
		return p, conflict("pool %s has %d upstreams, the limit is %d for a deploy", pool, len(p.Old), maxOld)
	}
	return p, nil
}

// maxOld is how many upstreams a deploy may replace: its progress has to fit into a change.
const maxOld = 32

// forget drops the oldest of the deploys that are over, when there are too many. Called with
// mu held.
func (e *Engine) forget() {
	for len(e.by) > maxKept {
		oldest := ""
		for pool, d := range e.by {
			if !d.underWay() && (oldest == "" || d.began.Before(e.by[oldest].began)) {
				oldest = pool
			}
		}
		if oldest == "" {
			return
		}
		delete(e.by, oldest)
	}
}

// Back makes a deploy go back, and Promote makes it go to its next stage at once: from a step
// to all requests, and from watching to draining.
// by says who asks for it.
func (e *Engine) Back(pool, by string) (View, error)    { return e.want(pool, back, by) }
func (e *Engine) Promote(pool, by string) (View, error) { return e.want(pool, promote, by) }

func (e *Engine) want(pool string, a asked, by string) (View, error) {
	d, err := e.find(pool)
	if err != nil {
		return View{}, err
	}
	if err := d.want(a, by); err != nil {
		return View{}, err
	}
	return d.view(0), nil
}

func (e *Engine) find(pool string) (*deploy, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d := e.by[pool]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("%w: to pool %q, since goodgate was started", ErrNoDeploy, pool)
}

// Get returns the deploy to a pool that is under way, else the last one, with the events
// after one of them.
func (e *Engine) Get(pool string, after int) (View, error) {
	d, err := e.find(pool)
	if err != nil {
		return View{}, err
	}
	return d.view(after), nil
}

// Progress returns how far the deploy to a pool is, in one line; empty = none is under way.
func (e *Engine) Progress(pool string) string {
	d, err := e.find(pool)
	if err != nil || !d.underWay() {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprintf("%s; new: %s; old: %s", d.progress.where(), list(d.progress.New), list(d.progress.Old))
}

// All returns the deploys that are under way, and the last one of each other pool.
func (e *Engine) All() []View {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := []View{}
	for _, pool := range slices.Sorted(maps.Keys(e.by)) {
		list = append(list, e.by[pool].view(0))
	}
	return list
}
