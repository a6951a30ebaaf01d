package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/proxy"
)

const (
	lookEvery = time.Second
	// settling is the time after the start in which new upstreams are no news.
	settling = 5 * time.Second
)

// Journal remembers the last hour: the results of requests, and the events of pools and
// upstreams. It outlives a [Server], is bounded (see the constants of history.go and
// timeline.go), and is safe for concurrent use. Use NewJournal.
type Journal struct {
	started time.Time
	history history
	line    timeline
}

// NewJournal returns a journal with one event, the start of goodgate.
func NewJournal(version string) *Journal {
	j := &Journal{started: time.Now()}
	j.line.note(Event{Time: j.started, Kind: evStarted, Text: strings.TrimSpace("goodgate " + version)})
	return j
}

// Observe counts a request. It is an observer of a proxy.
func (j *Journal) Observe(r *proxy.Record) {
	j.history.observe(r, r.Start.Add(r.Duration).Unix())
}

// Changed records that an upstream became available or unavailable.
func (j *Journal) Changed(c balancer.Change) {
	if c.Upstream.Removed() {
		return
	}
	j.line.stands(c.Upstream, !c.Available, time.Now())
}

// Probed records a health check. The cause of an unavailable upstream is known only after
// its change of state.
func (j *Journal) Probed(e health.Event) {
	if e.Err != nil && !errors.Is(e.Err, health.ErrNotProbed) {
		j.line.explain(e.Upstream.Key(), headlineOf(situation.OfCheck(e.Err)))
	}
}

// Found records the result of a comparison of a pool's upstreams.
func (j *Journal) Found(pool string, f balancer.Finding) {
	e := Event{Time: time.Now(), Pool: pool}
	if f.Upstream != nil {
		e.Upstream = f.Upstream.Addr()
	}
	switch {
	case f.Kind == balancer.Slow && f.Over:
		e.Kind = evSteady
	case f.Kind == balancer.Slow:
		e.Kind, e.Text = evSlow, fmt.Sprintf("takes %s, the others take %s: it gets fewer requests", round(time.Duration(f.Own)), round(time.Duration(f.Others)))
	case f.Kind == balancer.Alike && f.Over:
		e.Kind = evUnalike
	case f.Kind == balancer.Alike:
		e.Kind, e.Text = evAlike, fmt.Sprintf("%.0f of %.0f upstreams fail in the same way, so none is ejected", f.Own, f.Others)
	default:
		return // the breaker reports that
	}
	j.line.note(e)
}

// Reloaded records an attempt to replace the configuration; err is nil if it succeeded.
func (j *Journal) Reloaded(cause string, changes []string, err error) {
	e := Event{Time: time.Now(), Kind: evReload, Text: "no change (" + cause + ")"}
	switch {
	case err != nil:
		e.Kind, e.Text = evConfigFailed, err.Error()
	case len(changes) > 0:
		e.Text = count(len(changes), "change") + " (" + cause + "): " + strings.Join(changes, "; ")
	}
	j.line.note(e)
}

// Certificate records that a certificate was read again; err is nil if it is in use.
func (j *Journal) Certificate(file string, err error) {
	e := Event{Time: time.Now(), Kind: evCertificate, Text: file + " was reloaded"}
	if err != nil {
		e.Text = file + " could not be loaded, so the previous one stays in use: " + err.Error()
	}
	j.line.note(e)
}

// Deployed records an event of a deploy to a pool.
func (j *Journal) Deployed(pool, text string) {
	j.line.note(Event{Time: time.Now(), Kind: evDeploy, Pool: pool, Text: text})
}

// Split records new weights of a route's split. pool is the pool that the event concerns;
// back means that the guard has set the weights.
func (j *Journal) Split(pool, text string, back bool) {
	e := Event{Time: time.Now(), Kind: evSplit, Pool: pool, Text: text}
	if back {
		e.Kind = evSplitBack
	}
	j.line.note(e)
}

// Fault records that an operator injected a fault, or ended one.
func (j *Journal) Fault(text string) {
	j.line.note(Event{Time: time.Now(), Kind: evFault, Text: text})
}

// Closed records that a pause or a maintenance by an operator begins or ends.
func (j *Journal) Closed(e changes.Event) {
	now, c := time.Now(), e.Change
	kinds := [2]string{evPaused, evResumed}
	if c.Kind == changes.Maintenance {
		kinds = [2]string{evClosed, evReopened}
		var terms MaintenanceTerms
		if json.Unmarshal(c.Value, &terms) == nil && terms.Off { // the change ends the maintenance in the configuration
			kinds = [2]string{evReopened, evClosed}
		}
	}
	kind, text := kinds[1], []string{string(e.What)}
	if e.What == changes.Put {
		if kind, text = kinds[0], nil; !c.Until.IsZero() {
			text = []string{"until " + clock(c.Until, now)}
		}
	}
	if e.By != "" {
		text = append(text, "by "+e.By)
	}
	if e.Why != "" {
		text = append(text, e.Why)
	}
	j.line.note(Event{Time: now, Kind: kind, Pool: c.Pool, Text: strings.Join(text, ", ")})
}

// LookedUp records the error of looking up a pool's upstreams; nil when it works again.
func (j *Journal) LookedUp(pool string, err error) {
	e := Event{Time: time.Now(), Kind: evLookup, Pool: pool, Text: "works again"}
	if err != nil {
		e.Text = err.Error()
	}
	j.line.note(e)
}

// Run looks at the pools every second until ctx ends, for changes that nothing reports,
// and to count the seconds in which upstreams are not available.
func (j *Journal) Run(ctx context.Context, pools func() []*proxy.Pool) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		j.look(pools(), time.Now())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (j *Journal) look(pools []*proxy.Pool, now time.Time) {
	present := map[string]map[string]bool{}
	for _, p := range pools {
		members := p.Members()
		addresses := make(map[string]bool, len(members))
		for i := range members {
			addresses[members[i].Addr()] = true
		}
		present[p.Name()] = addresses
		j.line.members(p.Name(), addresses, now.Sub(j.started) < settling, now)
		for i := range members {
			m := &members[i]
			j.line.stands(m.Upstream, false, now)
			j.history.look(p.Name(), m.Addr(), m.Available(), now.Unix())
		}
	}
	j.line.keep(present)
	j.history.keep(present)
}
