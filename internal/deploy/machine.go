package deploy

import (
	"fmt"
	"strings"
	"time"
)

// progress is the stored state of a deploy, from which another process can continue.
type progress struct {
	Plan
	New   []string  `json:"new"` // origins of To
	Old   []string  `json:"old"` // origins to replace
	Stage Stage     `json:"stage"`
	Step  int       `json:"step,omitempty"`
	Since time.Time `json:"since"` // start of the stage or the step
	Why   *Verdict  `json:"verdict,omitempty"`
	Told  int       `json:"told"` // number of the last event
}

// sight is what a deploy sees of its pool at one moment.
type sight struct {
	fresh, settled crowd
	warm           warmth
	verdict        *Verdict      // the judge's; nil = nothing against the new version
	suspect        bool          // there is doubt, and more requests will decide
	answered       int           // requests that the new upstreams have answered in this step
	waits          time.Duration // time that requests have waited at a new upstream without any answer
	usual          time.Duration // the time that nearly all requests to the old ones took
	asked          asked
}

// crowd is the upstreams of one version.
type crowd struct {
	missing  []string // not members of the pool
	down     []trouble
	ready    int // upstreams that take requests
	inFlight int
}

// trouble is the reason that an upstream takes no requests.
type trouble struct {
	text  string // its address, and why
	since time.Duration
}

// warmth is the state of the warm-up.
type warmth struct {
	begun, done bool
	err         error
}

// asked is an operator's request.
type asked uint8

const (
	nothing asked = iota
	promote
	back
)

var askedFor = [...]string{nothing: "nothing", promote: "promote it", back: "roll back"}

const (
	// downFor is how long a new upstream, once it took requests, may take none or be no
	// member.
	downFor = 2 * time.Second
	// enough is the number of the new upstreams' answers in a step that allow a
	// conclusion.
	enough = 20
	// patience is the factor by which a step may exceed its duration while there are
	// fewer answers, or while there is doubt about the new version; quiet is the same
	// without any requests.
	patience = 10
	quiet    = 3
	// silentFor is the least time that requests may wait at a new upstream without an
	// answer, and silentTimes is a factor on the usual time for the same.
	silentFor   = 5 * time.Second
	silentTimes = 20
	// silentAtOnce is the number of waiting requests that cannot all be among the few
	// slow ones.
	silentAtOnce = 3
	// resumedFor is how long upstreams may take to become ready in a new process.
	resumedFor = 10 * time.Second
)

// move is a transition from one stage to the next.
type move struct {
	to   Stage
	step int
	why  *Verdict // the reason for Returning; nil = ordered
	text string   // for people
}

// next is the complete rule for the progress of a deploy. ok = false means that it stays
// in its stage.
func (p *progress) next(now time.Time, s sight) (m move, ok bool) {
	if p.Stage.Over() {
		return move{}, false
	}
	if p.Stage == Returning {
		return p.finishReturn(now.Sub(p.Since), s)
	}
	if s.asked == back {
		return move{to: Returning, text: "rolling back, as requested"}, true
	}
	if v := p.against(now.Sub(p.Since), s); v != nil {
		return move{to: Returning, why: v, text: "rolling back: " + v.Text}, true
	}
	lasted := now.Sub(p.Since)
	switch p.Stage {
	case Adding:
		if len(s.fresh.missing) == 0 {
			return move{to: Probing, text: "waiting for the health checks of " + list(p.New)}, true
		}
	case Probing:
		if s.fresh.ready == len(p.New) {
			return move{to: Warming, text: p.warming()}, true
		}
	case Warming:
		if s.warm.done {
			return p.shift(0), true
		}
	case Shifting:
		if s.asked == promote {
			return p.shift(len(p.Steps) - 1), true
		}
		if p.stepOver(lasted, s) {
			return p.shift(p.Step + 1), true
		}
	case Watching:
		if s.asked == promote || lasted >= p.WatchFor {
			return move{to: Draining, text: fmt.Sprintf("draining %s for at most %s", list(p.Old), p.DrainTimeout)}, true
		}
	case Draining:
		return p.finish(lasted, s)
	}
	return move{}, false
}

// against returns the reason to return to the old version; nil = none.
func (p *progress) against(lasted time.Duration, s sight) *Verdict {
	starting := p.Stage == Adding || p.Stage == Probing
	switch {
	case starting && lasted >= p.ReadyWithin && len(s.fresh.missing) > 0:
		return &Verdict{Rule: "not_ready", Text: fmt.Sprintf("%s did not become members within %s", list(s.fresh.missing), p.ReadyWithin)}
	case starting && lasted >= p.ReadyWithin && len(s.fresh.down) > 0:
		return &Verdict{Rule: "not_ready", Text: fmt.Sprintf("not ready within %s: %s", p.ReadyWithin, reasons(s.fresh.down))}
	case starting:
		return nil
	case s.warm.err != nil:
		return &Verdict{Rule: "warm", Text: "a warm-up request failed: " + s.warm.err.Error()}
	case len(s.fresh.missing) > 0 && lasted >= downFor:
		return &Verdict{Rule: "gone", Text: list(s.fresh.missing) + " left the pool: an operator or the configuration file removed them"}
	case len(s.fresh.down) > 0 && s.fresh.down[0].since >= downFor:
		return &Verdict{Rule: "down", Text: reasons(s.fresh.down)}
	case p.Stage == Draining:
		return nil
	case s.verdict != nil:
		return s.verdict
	case s.waits >= max(silentFor, silentTimes*s.usual) && s.usual > 0:
		return &Verdict{Rule: "silent", Text: fmt.Sprintf("the new version has answered nothing for %s although requests wait; the old version answered 95 %% of its requests within %s",
			s.waits.Round(100*time.Millisecond), s.usual.Round(10*time.Microsecond))}
	}
	return nil
}

// stepOver reports whether a step has lasted long enough: the new upstreams have answered
// enough requests, or there is little traffic. While there is doubt the step continues,
// to collect more requests at the same share.
func (p *progress) stepOver(lasted time.Duration, s sight) bool {
	switch {
	case s.answered == 0:
		return lasted >= quiet*p.StepTime
	case s.answered < enough || s.suspect:
		return lasted >= patience*p.StepTime
	}
	return lasted >= p.StepTime
}

// shift returns the move to a step.
func (p *progress) shift(step int) move {
	if p.final(step) {
		return move{to: Watching, step: len(p.Steps) - 1, text: fmt.Sprintf("100 %% of the requests go to %s; the old upstreams stay for %s", list(p.New), p.WatchFor)}
	}
	text := fmt.Sprintf("%.3g %% of the requests go to %s", p.Steps[step], list(p.New))
	if step == 0 {
		text += ", only requests that are safe to retry"
	}
	return move{to: Shifting, step: step, text: text}
}

func (p *progress) warming() string {
	if p.Warm == "" {
		return "ready"
	}
	return fmt.Sprintf("ready; warming up: GET %[2]s, %[1]d times each", p.WarmTimes, p.Warm)
}

// finish ends a deploy once no request is left on the old upstreams, or the wait was long
// enough.
func (p *progress) finish(lasted time.Duration, s sight) (move, bool) {
	switch {
	case s.settled.inFlight == 0:
		return move{to: Done, text: "done: " + list(p.Old) + " left the pool and can be stopped"}, true
	case lasted >= p.DrainTimeout:
		return move{to: Done, text: fmt.Sprintf("done: %s left the pool with %d requests still in flight after %s", list(p.Old), s.settled.inFlight, p.DrainTimeout)}, true
	}
	return move{}, false
}

// finishReturn is the same for a return. The new upstreams stay as long as no old one
// takes requests, because nothing else could serve.
func (p *progress) finishReturn(lasted time.Duration, s sight) (move, bool) {
	switch {
	case s.settled.ready == 0 && s.fresh.ready > 0:
		return move{}, false
	case s.fresh.inFlight == 0:
		return move{to: Back, text: "rolled back: " + list(p.New) + " left the pool"}, true
	case lasted >= p.DrainTimeout:
		return move{to: Back, text: fmt.Sprintf("rolled back: %s left the pool with %d requests still in flight after %s", list(p.New), s.fresh.inFlight, p.DrainTimeout)}, true
	}
	return move{}, false
}

// resumed returns the stage and step at which another process continues a deploy. The
// judge's evidence is lost, so clients' requests resume one step earlier, with new
// evidence.
func (p *progress) resumed() (stage Stage, step int) {
	switch {
	case p.Stage == Probing || p.Stage == Warming:
		return Adding, 0
	case p.Stage == Shifting:
		return Shifting, max(p.Step-1, 0)
	case p.Stage == Watching && len(p.Steps) > 1:
		return Shifting, len(p.Steps) - 2
	}
	return p.Stage, p.Step
}

// enter performs a move.
func (p *progress) enter(m move, now time.Time) {
	p.Stage, p.Step, p.Since = m.to, m.step, now
	if m.to == Returning {
		p.Why = m.why
	}
}

// share returns the share of the new upstreams; below 0 = all upstreams are alike.
func (p *progress) share() float64 {
	if p.Stage == Shifting {
		return p.Plan.share(p.Step)
	}
	return wanted[p.Stage].share
}

// list names upstreams.
func list(addrs []string) string { return strings.Join(addrs, ", ") }

func reasons(down []trouble) string {
	parts := make([]string, len(down))
	for i, t := range down {
		parts[i] = t.text
	}
	return strings.Join(parts, "; ")
}

// where describes the stage in words.
func (p *progress) where() string {
	if p.Stage == Shifting {
		return fmt.Sprintf("shifting, %.3g %% of the requests", p.Steps[p.Step])
	}
	return p.Stage.String()
}
