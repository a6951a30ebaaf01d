package deploy

import (
	"slices"
	"time"
)

// View is the state of a deploy, as the API returns it.
type View struct {
	Pool     string    `json:"pool"`
	Stage    Stage     `json:"stage"`
	Over     bool      `json:"over"`
	Step     int       `json:"step"`  // from 1; 0 before the first
	Share    float64   `json:"share"` // share of the new upstreams, in percent
	New      []string  `json:"new"`   // addresses
	Old      []string  `json:"old"`
	By       string    `json:"by"`
	Why      string    `json:"why,omitempty"`
	Began    time.Time `json:"began"`
	Since    time.Time `json:"since"` // start of the stage or the step
	Ended    time.Time `json:"ended,omitzero"`
	Settings Order     `json:"settings"` // the order, with all defaults filled in

	Fresh    Figures   `json:"new_figures"`
	Settled  Figures   `json:"old_figures"`
	Seen     int       `json:"seen"`              // requests that the new version failed visibly for clients
	Verdict  *Verdict  `json:"verdict,omitempty"` // reason for the return; nil = no return, or an operator ordered it
	Failures []Failure `json:"failures"`          // some requests that the new version failed
	Events   []Event   `json:"events"`
}

// view returns the state of the deploy, with the events after the n-th.
func (d *deploy) view(n int) View {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := &d.progress
	v := View{Pool: d.pool, Stage: p.Stage, Over: !d.ended.IsZero(), New: p.New, Old: p.Old, By: d.by, Why: d.why, Began: d.began, Since: p.Since, Ended: d.ended,
		Settings: p.order(d.pool, d.why), Seen: d.seen, Verdict: p.Why, Failures: append([]Failure{}, d.failures...), Events: []Event{}}
	if p.Stage == Shifting || p.Stage == Watching {
		v.Step = p.Step + 1
	}
	v.Share = 100 * max(p.share(), 0)
	if p.Stage == Done {
		v.Share = 100
	}
	v.Fresh, v.Settled = d.judge.seen()
	if at := slices.IndexFunc(d.events, func(e Event) bool { return e.N > n }); at >= 0 {
		v.Events = slices.Clone(d.events[at:])
	}
	return v
}

func (d *deploy) stage() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.progress.where()
}

// order returns the plan in the form of an order.
func (p *Plan) order(pool, why string) Order {
	return Order{Pool: pool, To: p.To, Steps: p.Steps, StepTime: p.StepTime.String(), WatchFor: p.WatchFor.String(),
		DrainTimeout: p.DrainTimeout.String(), ReadyWithin: p.ReadyWithin.String(), Warm: p.Warm, WarmTimes: p.WarmTimes, Ignore: p.Ignore, Why: why}
}
