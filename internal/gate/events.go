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
	// needed is the number of consecutive looks that must find a pool in need before the
	// event is sent, and relieved the number that must find it well again.
	needed   = 3
	relieved = 10
)

// events sends events about upstreams, pools and reloads to the webhook.
type events struct {
	opts Options
	name string                  // of this instance; empty = that of its machine
	one  *elected                // sends the events that all instances see; nil = no fleet
	to   atomic.Pointer[telling] // nil = no webhook
	made chan *webhook.Sender    // senders for run to start
	// situation describes the state of an upstream.
	situation func(*balancer.Upstream) situation.Row

	mu   sync.Mutex            // protects down
	down map[balancer.Key]bool // upstreams reported as down

	sender *webhook.Sender // the only one; nil before the first webhook; only use touches it
}

// telling is the webhook in use, with its configuration.
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

// use follows a configuration from now on. Events that wait for a webhook that has
// changed go to the new address. If the webhook was removed, they still go to the old
// one. Calls must not overlap.
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

// tell sends an event about this instance itself, if its kind is configured.
func (e *events) tell(kind string, event webhook.Event) {
	if t := e.to.Load(); t != nil && slices.Contains(t.config.On, kind) {
		t.Send(event)
	}
}

// tellOnce sends an event that all instances see: one of them sends it.
func (e *events) tellOnce(kind string, event webhook.Event) {
	t := e.to.Load()
	switch {
	case e.one == nil:
		e.tell(kind, event)
	case t != nil && slices.Contains(t.config.On, kind):
		e.one.tell(event, t.SendThen)
	}
}

// changed sends an event when an upstream becomes unavailable, or available again. It
// sends none for upstreams that have just been found.
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
			but = " Its breaker lets a trial through early because no other upstream is left."
		}
		e.tellOnce("upstream", webhook.Event{Type: "upstream_up", Pool: u.Key().Pool, Upstream: u.Addr(),
			Text: fmt.Sprintf("goodgate: %s of pool %s is available again.%s", u.Addr(), u.Key().Pool, but)})
	}
}

// down returns the text of an event: the upstream is down, why, and what to do.
func down(c balancer.Change, row situation.Row) string {
	u := c.Upstream
	left := fmt.Sprintf("%d others are", c.Left)
	if c.Left == 1 {
		left = "1 other is"
	}
	state := fmt.Sprintf("goodgate: %s of pool %s is down (checks %s, breaker %s, operator %s); %s available. %s.", u.Addr(), u.Key().Pool, u.Health(), u.Breaker(), u.Operator(), left, row.Headline)
	return strings.TrimRight(strings.Join([]string{state, row.Cause, row.Do}, " "), " ")
}

// reloadFailed sends an event: a new configuration could not be used.
func (e *events) reloadFailed(cause string, err error) {
	e.tell("reload", webhook.Event{Type: "reload_failed",
		Text: fmt.Sprintf("goodgate: the configuration could not be reloaded (%s); the last good one stays in use: %v", cause, err)})
}

// run runs the senders, and looks at the pools every second, until ctx ends.
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

// forget drops the records of upstreams that have left.
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

// state is the condition of a pool so far.
type state struct{ low, full edge }

// look sends an event when the available share of a pool's upstreams falls below floor,
// or when the pool is overloaded, and when either ends.
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
		event.Text = fmt.Sprintf("goodgate: pool %s %s: %d of %d upstreams are available.", p.Name(), event.Text, available, len(members))
		if s.low.on {
			event.Text += e.causes(members)
		}
		e.tellOnce("floor", event)
	}
	if s.full.flips(p.Saturated()) {
		event := webhook.Event{Type: "pool_relieved", Pool: p.Name(), Text: "is no longer overloaded"}
		if s.full.on {
			event.Type, event.Text = "pool_saturated", "is overloaded: it gets more requests than its upstreams may have"
		}
		event.Text = fmt.Sprintf("goodgate: pool %s %s; %d requests in flight, %d wait.", p.Name(), event.Text, p.InFlight(), p.Queued()+p.Waiting())
		if s.full.on {
			event.Text += " " + situation.Of(situation.Overloaded).Do
		}
		e.tellOnce("saturation", event)
	}
}

// causes returns the reasons why upstreams take no requests, with the number of upstreams
// for each.
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

// edge is a condition that must last before it counts, and must be absent for longer
// before it ends.
type edge struct {
	on bool
	n  int // consecutive findings that differ from on
}

// flips takes the present finding, and reports whether on has changed.
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
