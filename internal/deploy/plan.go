package deploy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Order is the body of POST /v1/deploys. A zero field has its default.
type Order struct {
	Pool         string    `json:"pool"`
	To           []string  `json:"to"`                      // URLs of the new upstreams
	Steps        []float64 `json:"steps,omitempty"`         // shares of the requests in percent, rising, the last is 100; default 1, 5, 25, 50, 100
	StepTime     string    `json:"step_time,omitempty"`     // least duration of a step; default 10s
	WatchFor     string    `json:"watch_for,omitempty"`     // how long the old upstreams stay after the last step; default 1m
	DrainTimeout string    `json:"drain_timeout,omitempty"` // time for requests in flight on leaving upstreams; default 30s
	ReadyWithin  string    `json:"ready_within,omitempty"`  // how long the new upstreams may take until their health checks pass; default 1m
	Warm         string    `json:"warm,omitempty"`          // path to request from each new upstream before clients come; default none
	WarmTimes    int       `json:"warm_times,omitempty"`    // number of these requests; default 10
	Ignore       []string  `json:"ignore,omitempty"`        // comparisons to omit: fails, refuses, slow; default none
	Why          string    `json:"why,omitempty"`           // kept with the deploy
	DryRun       bool      `json:"dry_run,omitempty"`       // describe the deploy, and do nothing
}

// Plan is a complete order.
type Plan struct {
	To           []string      `json:"to"`
	Steps        []float64     `json:"steps"`
	StepTime     time.Duration `json:"step_time"`
	WatchFor     time.Duration `json:"watch_for"`
	DrainTimeout time.Duration `json:"drain_timeout"`
	ReadyWithin  time.Duration `json:"ready_within"`
	Warm         string        `json:"warm,omitempty"`
	WarmTimes    int           `json:"warm_times,omitempty"`
	Ignore       []string      `json:"ignore,omitempty"`
}

// Bounds of an order.
const (
	maxNew      = 16
	maxSteps    = 20
	maxWarm     = 1000
	maxDuration = 24 * time.Hour
)

// defaultSteps are the steps of an order without any.
var defaultSteps = [...]float64{1, 5, 25, 50, 100}

// Errors that refuse an order, with their HTTP status.
var (
	ErrOrder    = errors.New("the request is not valid") // 400
	ErrNoPool   = errors.New("there is no such pool")    // 404; the error's text lists the pools
	ErrConflict = errors.New("this is not possible now") // 409
	ErrNoDeploy = errors.New("there is no such deploy")  // 404
)

// noPool is an [ErrNoPool] that lists the pools.
type noPool string

func (e noPool) Error() string        { return string(e) }
func (e noPool) Is(target error) bool { return target == ErrNoPool }

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrOrder, fmt.Sprintf(format, args...))
}

func conflict(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConflict, fmt.Sprintf(format, args...))
}

// plan checks an order and fills in defaults.
func (o Order) plan() (p Plan, err error) {
	p = Plan{To: slices.Clone(o.To), Steps: slices.Clone(o.Steps), Warm: o.Warm, WarmTimes: o.WarmTimes, Ignore: slices.Clone(o.Ignore)}
	if len(p.Steps) == 0 {
		p.Steps = slices.Clone(defaultSteps[:])
	}
	var errs []error
	duration := func(name, text string, otherwise time.Duration) time.Duration {
		if text == "" {
			return otherwise
		}
		d, err := time.ParseDuration(text)
		switch {
		case err != nil:
			errs = append(errs, wrong("%s: found %q: expected a duration such as 10s or 1m30s", name, text))
		case d < 0 || d > maxDuration:
			errs = append(errs, wrong("%s: %s is not between 0 and %gh", name, text, maxDuration.Hours()))
		}
		return d
	}
	p.StepTime = duration("step_time", o.StepTime, 10*time.Second)
	p.WatchFor = duration("watch_for", o.WatchFor, time.Minute)
	p.DrainTimeout = duration("drain_timeout", o.DrainTimeout, 30*time.Second)
	p.ReadyWithin = duration("ready_within", o.ReadyWithin, time.Minute)
	switch {
	case len(p.To) == 0:
		errs = append(errs, wrong("to: the URLs of the new upstreams are missing"))
	case len(p.To) > maxNew:
		errs = append(errs, wrong("to: %d upstreams, the limit is %d", len(p.To), maxNew))
	}
	for _, rule := range p.Ignore {
		if !slices.Contains(ruleNames[:], rule) {
			errs = append(errs, wrong("ignore: %q is not a rule: the rules are fails, refuses and slow", rule))
		}
	}
	errs = append(errs, checkSteps(p.Steps), p.checkWarm())
	return p, errors.Join(errs...)
}

func checkSteps(steps []float64) error {
	before := 0.0
	for _, s := range steps {
		if !(s > before && s <= 100) {
			return wrong("steps: found %v: a step must be above %v and at most 100 percent", s, before)
		}
		before = s
	}
	switch {
	case before != 100:
		return wrong("steps: found %v: the last step must be 100 percent", before)
	case len(steps) > maxSteps:
		return wrong("steps: %d, the limit is %d", len(steps), maxSteps)
	}
	return nil
}

func (p *Plan) checkWarm() error {
	switch {
	case p.Warm == "" && p.WarmTimes == 0:
		return nil
	case !strings.HasPrefix(p.Warm, "/"):
		return wrong("warm: %q is not a path: a path begins with /", p.Warm)
	case p.WarmTimes < 0 || p.WarmTimes > maxWarm:
		return wrong("warm_times: %d is not between 1 and %d", p.WarmTimes, maxWarm)
	}
	p.WarmTimes = cmp.Or(p.WarmTimes, 10)
	return nil
}

// share returns the share of a step, from 0 to 1.
func (p *Plan) share(step int) float64 { return p.Steps[min(step, len(p.Steps)-1)] / 100 }

// final reports whether all requests go to the new upstreams in a step.
func (p *Plan) final(step int) bool { return step >= len(p.Steps)-1 }
