package gate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/internal/webhook"
	"github.com/goodgate/goodgate/proxy"
)

const (
	lookEvery = time.Second
	// How often in a row a pool is found in need, or without, until that is told.
	needed   = 3
	relieved = 10
)

// events tells the webhook what happens to pools.
type events struct {
	opts Options
	name string                  // of this instance; empty = that of its machine
	one  *elected                // sends what all instances see; nil = this one is alone
	to   atomic.Pointer[telling] // nil = nobody is told
	made chan *webhook.Sender    // a sender that is to be run
	// situation tells what an upstream is in.
	situation func(*balancer.Upstream) situation.Row

	mu   sync.Mutex            // protects down
	down map[balancer.Key]bool // of which it was told that they are

	sender *webhook.Sender // the only one; nil before the first webhook. use's
}

// telling is who is told, and of what.
type telling struct {
	*webhook.Sender
	config config.Webhook
}

func newEvents(c *config.Config, o Options, of func(*balancer.Upstream) situation.Row) *events {
	e := &events{opts: o, made: make(chan *webhook.Sender, 1), situation: of, down: map[balancer.Key]bool{}}
	if c.Fleet != nil {
		e.name = c.Fleet.Instance
	}
	e.use(c.Events.Webhook)
	return e
}

// use tells as a configuration has it from now on. What waits for a webhook that
// was changed goes to the next one; for one that was taken out, it is still sent.
// Calls come one after the other.
func (e *events) use(c config.Webhook) {
	if t := e.to.Load(); c.URL == "" || t != nil && reflect.DeepEqual(t.config, c) {
		if c.URL == "" {
			e.to.Store(nil)
			e.mu.Lock()
			clear(e.down)
			e.mu.Unlock()
		}
		return
	}
	o := assemble.Webhook(c, e.opts.Logger)
	o.Instance = cmp.Or(e.name, o.Instance)
	if e.sender != nil {
		e.sender.Change(o)
	} else {
		e.sender = webhook.New(o)
		e.made <- e.sender
		if m := e.opts.Metrics; m != nil {
			m.Register("webhook_events_lost_total", "Events that goodgate could not deliver to the webhook.", e.sender.Lost)
		}
	}
	e.to.Store(&telling{e.sender, c})
}

// tell sends an event of a kind that is wanted, of this instance itself.
func (e *events) tell(kind string, event webhook.Event) {
	if t := e.to.Load(); t != nil && slices.Contains(t.config.On, kind) {
		t.Send(event)
	}
}

// tellOnce is tell for an event that all instances see: one of them sends it.
func (e *events) tellOnce(kind string, event webhook.Event) {
	t := e.to.Load()
	switch {
	case e.one == nil:
		e.tell(kind, event)
	case t != nil && slices.Contains(t.config.On, kind):
		e.one.tell(event, t.SendThen)
	}
}

// changed tells that an upstream became unavailable, or is available again.
// Those that have just been found are not told of.
func (e *events) changed(c balancer.Change, row situation.Row) {
	if e.to.Load() == nil {
		return
	}
	u := c.Upstream
	e.mu.Lock()
	was := e.down[u.Key()]
	if c.Available {
		delete(e.down, u.Key())
	} else if !u.Removed() {
		e.down[u.Key()] = true
	}
	e.mu.Unlock()
	switch {
	case !c.Available && !was:
		e.tellOnce("upstream", webhook.Event{Type: "upstream_down", Pool: u.Key().Pool, Upstream: u.Addr(), Text: down(c, row)})
	case c.Available && was:
		but := ""
		if c.Early {
			but = " Its breaker lets it be tried before its time, since nobody else is left."
		}
		e.tellOnce("upstream", webhook.Event{Type: "upstream_up", Pool: u.Key().Pool, Upstream: u.Addr(),
			Text: fmt.Sprintf("goodgate: %s of pool %s is available again.%s", u.Addr(), u.Key().Pool, but)})
	}
}

// down says that an upstream is out, why, and what to do.
func down(c balancer.Change, row situation.Row) string {
	u := c.Upstream
	left := fmt.Sprintf("%d others are", c.Left)
	if c.Left == 1 {
		left = "1 other is"
	}
	state := fmt.Sprintf("goodgate: %s of pool %s is down (checks %s, breaker %s, operator %s); %s available. %s.", u.Addr(), u.Key().Pool, u.Health(), u.Breaker(), u.Operator(), left, row.Headline)
	return strings.TrimRight(strings.Join([]string{state, row.Cause, row.Do}, " "), " ")
}

// reloadFailed tells that a new configuration is not in use.
func (e *events) reloadFailed(cause string, err error) {
	e.tell("reload", webhook.Event{Type: "reload_failed",
		Text: fmt.Sprintf("goodgate: the configuration could not be reloaded (%s); the last good one stays in use: %v", cause, err)})
}

// run sends, and looks at the pools every second, until ctx ends.
func (e *events) run(ctx context.Context, pools func() []*proxy.Pool) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if e.one != nil {
		wg.Go(func() { e.one.run(ctx) })
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	states := map[string]*state{}
	for {
		select {
		case <-ticker.C:
		case s := <-e.made:
			wg.Go(func() { s.Run(ctx) })
			continue
		case <-ctx.Done():
			return
		}
		t := e.to.Load()
		if t == nil {
			clear(states)
			continue
		}
		present := map[string]*state{}
		for _, p := range pools() {
			s := cmp.Or(states[p.Name()], new(state))
			present[p.Name()] = s
			e.look(p, s, float64(t.config.Floor))
		}
		states = present
		e.forget(pools())
	}
}

// forget drops what was told of upstreams that are gone.
func (e *events) forget(pools []*proxy.Pool) {
	present := map[balancer.Key]bool{}
	for _, p := range pools {
		members := p.Members()
		for i := range members {
			present[members[i].Key()] = true
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.down, func(k balancer.Key, _ bool) bool { return !present[k] })
}

// state is what was found of a pool so far.
type state struct{ low, full edge }

// look tells of a pool that has less than the share floor available, or is overloaded.
func (e *events) look(p *proxy.Pool, s *state, floor float64) {
	members := p.Members()
	available := 0
	for i := range members {
		if members[i].Available() {
			available++
		}
	}
	if s.low.flips(float64(available) < floor*float64(len(members)) || len(members) == 0) {
		event := webhook.Event{Type: "pool_above_floor", Pool: p.Name(), Text: "has enough upstreams again"}
		if s.low.on {
			event.Type, event.Text = "pool_below_floor", "has too few upstreams"
		}
		event.Text = fmt.Sprintf("goodgate: pool %s %s: %d of %d take requests.", p.Name(), event.Text, available, len(members))
		if s.low.on {
			event.Text += e.causes(members)
		}
		e.tellOnce("floor", event)
	}
	if s.full.flips(p.Saturated()) {
		event := webhook.Event{Type: "pool_relieved", Pool: p.Name(), Text: "is no longer overloaded"}
		if s.full.on {
			event.Type, event.Text = "pool_saturated", "is overloaded: more is asked of it than its upstreams may have"
		}
		event.Text = fmt.Sprintf("goodgate: pool %s %s; %d requests in flight, %d wait.", p.Name(), event.Text, p.InFlight(), p.Queued()+p.Waiting())
		if s.full.on {
			event.Text += " " + situation.Of(situation.Overloaded).Do
		}
		e.tellOnce("saturation", event)
	}
}

// causes says why upstreams take no requests, and how many for each cause.
func (e *events) causes(members []balancer.Member) (text string) {
	count := map[string]int{}
	for i := range members {
		if !members[i].Available() {
			count[e.situation(members[i].Upstream).Headline]++
		}
	}
	for _, headline := range slices.Sorted(maps.Keys(count)) {
		text += fmt.Sprintf(" %s (%d).", headline, count[headline])
	}
	return text
}

// edge is a condition that has to last before it counts, and to be gone for
// longer before it no longer does.
type edge struct {
	on bool
	n  int // in a row, how often it was found to be otherwise
}

// flips takes what was found now, and reports whether on has changed.
func (e *edge) flips(now bool) bool {
	if now == e.on {
		e.n = 0
		return false
	}
	e.n++
	if enough := map[bool]int{true: needed, false: relieved}[now]; e.n < enough {
		return false
	}
	e.on, e.n = now, 0
	return true
}
