package gate

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// injections are the faults that operators inject into routes, by route name. A reload
// keeps those of a route that stays.
type injections map[string]*proxy.Injection

// planFaults connects routes to their injections.
func (g *Gate) planFaults(routes []proxy.Route, before *present) injections {
	all := make(injections, len(routes))
	for i := range routes {
		name := routes[i].Name
		live := before.injections[name]
		if live == nil {
			live = new(proxy.Injection)
			live.Set(g.injectedInto(name))
		}
		routes[i].Injection, all[name] = live, live
	}
	return all
}

// injectedInto returns the faults that the book has for a route.
func (g *Gate) injectedInto(route string) (list []proxy.Fault) {
	for _, c := range g.changes.All() {
		if c.Kind != changes.Fault || c.Route != route {
			continue
		}
		var t admin.FaultTerms
		if err := json.Unmarshal(c.Value, &t); err != nil {
			g.log.Error("fault not injected", "route", route, "change", c.ID, "error", err.Error())
			continue
		}
		list = append(list, proxy.Fault{
			Share: t.Share, Headers: t.Headers, Until: c.Until,
			Delay: time.Duration(t.Delay), Abort: t.Abort, Cut: t.Cut, Throttle: t.Throttle,
		})
	}
	return list
}

// followFaults applies the faults of a route after an event of the book.
func (g *Gate) followFaults(e changes.Event) {
	if e.Change.Kind != changes.Fault {
		return
	}
	g.applyFaults(e.Change.Route)
	f := admin.FaultOf(e.Change)
	text := "route " + e.Change.Route + ": " + f.Says()
	if e.What != changes.Put {
		text += " has ended"
	}
	g.journal.Fault(text)
}

// applyFaults gives a route the faults that the book has for it.
func (g *Gate) applyFaults(route string) {
	g.injecting.Lock()
	defer g.injecting.Unlock()
	if live := g.current.Load().injections[route]; live != nil {
		live.Set(g.injectedInto(route))
	}
}

// Faults implements [admin.Faults].
func (c control) Faults() []admin.Fault {
	g, now := c.gate, time.Now()
	var list []admin.Fault
	for _, r := range g.current.Load().config.Routes {
		for _, f := range r.Faults {
			if f.Active(now) {
				list = append(list, configuredFault(r.Name, f))
			}
		}
	}
	for _, ch := range g.changes.All() {
		if ch.Kind == changes.Fault && now.Before(ch.Until) {
			list = append(list, admin.FaultOf(ch))
		}
	}
	return list
}

// hiddenValue stands for a value of the configuration that may be a secret.
const hiddenValue = "(hidden)"

func configuredFault(route string, f config.Fault) admin.Fault {
	out := admin.Fault{Route: route, By: "configuration", Until: f.Ends(), FaultTerms: admin.FaultTerms{
		Share: float64(f.Share), Delay: admin.Span(f.Delay), Abort: f.Abort, Cut: int64(f.Cut), Throttle: int64(f.Throttle),
	}}
	out.Kind = out.FaultTerms.Kind()
	for name := range f.Headers {
		if out.Headers == nil {
			out.Headers = map[string]string{}
		}
		out.Headers[name] = hiddenValue
	}
	return out
}

// Inject implements [admin.Faults].
func (c control) Inject(ch changes.Change) (changes.Change, error) {
	if c.gate.current.Load().injections[ch.Route] == nil {
		return ch, unfit(404, "", "no route %q", ch.Route)
	}
	ch, err := c.gate.changes.Put(ch)
	c.gate.applyFaults(ch.Route) // Put may return before another goroutine has told followers
	return ch, err
}

// Heal implements [admin.Faults].
func (c control) Heal(route, kind, by, why string) (ended []changes.Change, err error) {
	for _, ch := range c.gate.changes.All() {
		if ch.Kind != changes.Fault || route != "" && ch.Route != route || kind != "" && ch.Fault != kind {
			continue
		}
		_, failed := c.gate.changes.TakeBack(ch.ID, by, why)
		c.gate.applyFaults(ch.Route)
		switch {
		case errors.Is(failed, changes.ErrUnknown): // it has just ended
		case failed != nil:
			err = failed
		default:
			ended = append(ended, ch)
		}
	}
	return ended, err
}
