package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/split"
	"github.com/goodgate/goodgate/internal/webhook"
	"github.com/goodgate/goodgate/proxy"
)

// splits are the splits of the routes, by route name. A reload keeps an unchanged split,
// with its counts.
type splits map[string]liveSplit

type liveSplit struct {
	*split.Split
	config *config.Split
}

// splitEvery is the interval at which splits are judged.
const splitEvery = time.Second

// planSplits connects routes to their splits. The book has the orders of operators, guard
// and schedule. An order holds while the file's split stays as it was when the order was
// made.
func (g *Gate) planSplits(c *config.Config, routes []proxy.Route, before *present) splits {
	all := splits{}
	for i, r := range c.Routes {
		if r.Split == nil {
			continue
		}
		live, kept := before.splits[r.Name]
		if !kept || !reflect.DeepEqual(live.config, r.Split) {
			live = liveSplit{split.New(assemble.Split(r), time.Now()), r.Split}
			if ordered, ok := g.changes.Find(changes.Subject{Kind: changes.Split, Route: r.Name}); ok && ordered.Base == live.Base() {
				g.applySplit(live.Split, &ordered)
			}
		}
		all[r.Name] = live
		routes[i].Split.Weights, routes[i].Split.Observe = live.Weights(), live.Observe
	}
	return all
}

// overruleSplits ends the orders about splits that the file has removed or changed.
func (g *Gate) overruleSplits(now splits) {
	for _, c := range g.changes.All() {
		if c.Kind != changes.Split {
			continue
		}
		if live, ok := now[c.Route]; !ok || live.Base() != c.Base {
			g.changes.Overrule(c.ID, "the configuration has other settings for this split")
		}
	}
}

// applySplit applies a change to a split; nil = the file's weights.
func (g *Gate) applySplit(s *split.Split, c *changes.Change) {
	if c == nil {
		s.Apply(nil)
		return
	}
	o := split.Order{By: c.By, Why: c.Why, At: c.At}
	err := json.Unmarshal(c.Value, &o.Weights)
	if err == nil {
		err = s.Apply(&o)
	}
	if err != nil {
		g.log.Error("split order not applied", "route", s.Route(), "change", c.ID, "error", err.Error())
	}
}

// followSplits applies an event of the book.
func (g *Gate) followSplits(e changes.Event) {
	live, ok := g.current.Load().splits[e.Change.Route]
	if e.Change.Kind != changes.Split || !ok {
		return
	}
	if e.What == changes.Put {
		g.applySplit(live.Split, &e.Change)
	} else {
		g.applySplit(live.Split, nil)
	}
	r := live.Report(time.Now())
	g.journal.Split(r.Sides[len(r.Sides)-1].Pool, "route "+r.Route+": "+r.Line, r.Standing == split.Guarded)
}

// runSplits judges the splits every splitEvery, until ctx ends.
func (g *Gate) runSplits(ctx context.Context) {
	ticker := time.NewTicker(splitEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		all := g.current.Load().splits
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if o := all[name].Tick(time.Now()); o != nil {
				g.takeStep(all[name], *o)
			}
		}
	}
}

// takeStep carries out an order of the guard or the schedule. The guard's order takes
// effect even if it cannot be saved.
func (g *Gate) takeStep(live liveSplit, o split.Order) {
	if o.By == split.ByGuard {
		g.log.Warn("split guard sent all requests back to the first pool", "route", live.Route(), "pool", live.config.Pools[0].Pool, "why", o.Why)
		g.events.tell("split", webhook.Event{Type: "split_back", Pool: live.config.Pools[0].Pool,
			Text: fmt.Sprintf("goodgate: route %s is back at pool %s alone: %s. It stays there until goodgate split %s --reset or a change of the weights.", live.Route(), live.config.Pools[0].Pool, o.Why, live.Route())})
	}
	err := g.putSplit(live, o, 0)
	if err == nil {
		return
	}
	g.log.LogAttrs(context.Background(), slog.LevelError, "split step not stored", slog.String("route", live.Route()), slog.String("error", err.Error()))
	if o.By == split.ByGuard {
		live.Apply(&o)
	}
}

func (g *Gate) putSplit(live liveSplit, o split.Order, d time.Duration) error {
	value, err := json.Marshal(o.Weights)
	if err != nil {
		return err
	}
	c := changes.Change{Subject: changes.Subject{Kind: changes.Split, Route: live.Route()}, Value: value, By: o.By, Why: o.Why, Base: live.Base()}
	if d > 0 {
		c.Until = time.Now().Add(d)
	}
	_, err = g.changes.Put(c)
	return err
}

// splitReports returns the state of the splits, by route name.
func (g *Gate) splitReports() []split.Report {
	all := g.current.Load().splits
	var list []split.Report
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name].Report(time.Now()))
	}
	return list
}

// SplitReports implements [admin.Splits].
func (c control) SplitReports() []split.Report { return c.gate.splitReports() }

// OrderSplit implements [admin.Splits].
func (c control) OrderSplit(route string, o split.Order, d time.Duration) error {
	live, ok := c.gate.current.Load().splits[route]
	if !ok {
		return admin.ErrNoSplit
	}
	full, err := live.Full(o.Weights)
	if err != nil {
		return err
	}
	o.Weights = full
	return c.gate.putSplit(live, o, d)
}

// ResetSplit implements [admin.Splits].
func (c control) ResetSplit(route, by, why string) error {
	live, ok := c.gate.current.Load().splits[route]
	if !ok {
		return admin.ErrNoSplit
	}
	if change, ok := c.gate.changes.Find(changes.Subject{Kind: changes.Split, Route: route}); ok {
		_, err := c.gate.changes.TakeBack(change.ID, by, why)
		return err
	}
	live.Apply(nil)
	return nil
}
