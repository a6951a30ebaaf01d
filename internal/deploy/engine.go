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
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
)

// Pool is the pool of a deploy. It is safe for concurrent use.
type Pool interface {
	// Check returns the reason that a deploy to the pool is impossible; nil if it is
	// possible.
	Check() error
	// Lookup returns the origin that the members of a URL will have.
	Lookup(url string) (origin string, err error)
	Members() []Member
	// KeepsClients reports whether the pool's policy keeps a client at its upstream.
	KeepsClients() bool
	// Stand makes the upstreams of an origin members of the pool or removes them, and
	// drains them or not. It is idempotent. url is the URL for adding missing members;
	// empty = they stay absent. Changes by operators themselves take precedence: an
	// upstream that they have drained is not made ready.
	Stand(origin, url string, member, drained bool, by string) error
	Introduce(*balancer.Introduction)
	// Ask sends a request of goodgate's own to each member of an origin. An answer below
	// 500 is no error.
	Ask(ctx context.Context, origin, path string) error
}

// Member is an upstream as a deploy sees it.
type Member struct {
	Origin   string // host:port of the URL that it was found under: its address, or a name
	Addr     string
	Tier     int
	Ready    bool          // takes requests
	Why      string        // the reason if it takes none
	InFlight int           // requests in flight
	Waiting  int           // requests without an answer yet
	Waits    time.Duration // time in which it has answered none of them
}

// Options configure an [Engine].
type Options struct {
	Book *changes.Book
	Find func(pool string) (Pool, bool)
	// Pools returns the names of the pools, for the error about another name.
	Pools func() []string
	// Tell is called with each event of a deploy; nil = no calls. It must not call back.
	Tell func(pool string, e Event)
}

// Engine runs the deploys of a goodgate, at most one per pool at a time. It is safe for
// concurrent use. Use New.
type Engine struct {
	opts   Options
	active atomic.Pointer[map[string]*deploy] // deploys in progress, for Observe; nil = none

	mu    sync.Mutex         // protects the fields below
	by    map[string]*deploy // by pool: the deploy in progress, or else the last one
	ctx   context.Context    // of Run; nil before and after
	tasks sync.WaitGroup
}

// maxKept bounds the ended deploys that are still shown.
const maxKept = 100

// New returns an engine without deploys.
func New(o Options) *Engine { return &Engine{opts: o, by: map[string]*deploy{}} }

// Resume continues the deploys that the previous process has begun. Call it once, after
// the pools have their members and before clients are served, so that the first requests
// already follow the share that the deploy wants.
//
// A deploy whose new upstreams had no clients yet begins again. A deploy in the stages
// shifting or watching resumes one step earlier, because the evidence about the new
// version is lost. A deploy in the stages draining or returning continues there.
func (e *Engine) Resume() {
	for _, c := range e.opts.Book.All() {
		if c.Kind != changes.Deploy {
			continue
		}
		var p progress
		host, ok := e.opts.Find(c.Pool)
		err := json.Unmarshal(c.Value, &p)
		if err == nil && (len(p.New) == 0 || len(p.To) == 0 || p.Stage >= stages || len(p.Steps) == 0) {
			err = fmt.Errorf("it is incomplete")
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
		d.note(now, p.Stage, fmt.Sprintf("continued by a new process: it was %s, and is now %s", was, p.where()), true)
		if share := p.share(); share >= 0 {
			host.Introduce(&balancer.Introduction{Upstreams: p.New, Share: share, Replayable: p.Stage == Shifting && p.Step == 0})
		}
		e.mu.Lock()
		e.by[c.Pool] = d
		e.publish()
		e.mu.Unlock()
	}
}

// forsake ends a deploy that cannot continue. The pool keeps its other changes.
func (e *Engine) forsake(c changes.Change, err error) {
	text := fmt.Sprintf("pool %s is no longer configured, so its deploy has ended", c.Pool)
	if err != nil {
		text = fmt.Sprintf("the deploy cannot continue: %v; goodgate changes lists the changes that it left", err)
	}
	e.opts.Book.TakeBack(c.ID, "goodgate", text)
	if e.opts.Tell != nil {
		e.opts.Tell(c.Pool, Event{N: 1, Time: time.Now(), Stage: Returning, Text: text, Bad: true})
	}
}

// Run continues the deploys until ctx ends, and returns when none is running. The next
// process continues unfinished ones.
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

// start runs a deploy. mu must be held.
func (e *Engine) start(d *deploy) {
	ctx := e.ctx
	e.tasks.Go(func() {
		d.run(ctx)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.publish()
	})
}

// publish updates the deploys in progress for Observe. mu must be held.
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

// Order begins a deploy, and returns its state. by is the author.
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
		return View{}, conflict("a deploy to pool %s is in progress: %s; end it with `goodgate deploy back %s` or `goodgate deploy promote %s`", o.Pool, d.stage(), o.Pool, o.Pool)
	}
	host, ok := e.opts.Find(o.Pool)
	if !ok {
		return View{}, e.noPool(o.Pool)
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
	d.note(p.Since, Adding, fmt.Sprintf("%s replaces %s", list(p.New), list(p.Old)), false)
	if err := e.opts.Book.Kept(); err != nil {
		d.note(p.Since, Adding, fmt.Sprintf("when goodgate ends, the pool returns to the configuration file: %v", err), true)
	}
	e.start(d)
	return d.view(0), nil
}

// newProgress determines the old and new upstreams of a deploy.
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
		return p, conflict("pool %s has %d upstreams: the limit for a deploy is %d", pool, len(p.Old), maxOld)
	}
	return p, nil
}

// maxOld is the limit on upstreams that a deploy replaces, because its progress must fit
// into a change.
const maxOld = 32

// forget drops the oldest ended deploys beyond maxKept. mu must be held.
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

// Back makes a deploy return to the old version. by is the author.
func (e *Engine) Back(pool, by string) (View, error) { return e.want(pool, back, by) }

// Promote makes a deploy enter its next stage at once. A deploy that shifts sends all
// requests to the new version, and a deploy that watches begins to drain. by is the
// author.
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

func (e *Engine) noPool(name string) error { return noPool(admin.NoPool(name, e.opts.Pools())) }

func (e *Engine) find(pool string) (*deploy, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d := e.by[pool]; d != nil {
		return d, nil
	}
	if _, ok := e.opts.Find(pool); !ok {
		return nil, e.noPool(pool)
	}
	return nil, fmt.Errorf("%w: pool %q has had none since goodgate started", ErrNoDeploy, pool)
}

// Get returns a pool's deploy in progress, or else the last one, with the events after
// the given number.
func (e *Engine) Get(pool string, after int) (View, error) {
	d, err := e.find(pool)
	if err != nil {
		return View{}, err
	}
	return d.view(after), nil
}

// Progress describes the stage of a pool's deploy in one line; empty = none in progress.
func (e *Engine) Progress(pool string) string {
	d, err := e.find(pool)
	if err != nil || !d.underWay() {
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprintf("%s; new: %s; old: %s", d.progress.where(), list(d.progress.New), list(d.progress.Old))
}

// All returns the deploys in progress, and the last one of each other pool.
func (e *Engine) All() []View {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := []View{}
	for _, pool := range slices.Sorted(maps.Keys(e.by)) {
		list = append(list, e.by[pool].view(0))
	}
	return list
}
