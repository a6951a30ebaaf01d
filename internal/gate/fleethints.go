package gate

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// topicHints is the topic of the hints about upstreams that instances send each other at
// once.
const topicHints = "hints"

// hintKind is the kind of trouble that an instance has met.
type hintKind string

const (
	hintRefused hintKind = "refused" // a connection for a request was refused
	hintDrain   hintKind = "drain"   // the upstream has announced its shutdown
	hintBreaker hintKind = "breaker" // its breaker has opened
)

// hint is a message about an upstream to the other instances. It never takes an upstream
// out there. The receivers probe the upstream at once, and send it only requests that can
// be retried until it has proved itself. A wrong hint costs no client anything.
type hint struct {
	From     string   `json:"from"` // ID of the member
	Kind     hintKind `json:"kind"`
	Pool     string   `json:"pool"`
	Upstream string   `json:"upstream"`
}

const (
	// quorumIn is how long the opening of a breaker at one instance counts.
	quorumIn   = 10 * time.Second
	maxDoubted = 10_000 // upstreams whose breakers are remembered
)

// quietFor is the time after another instance's hint in which this instance sends none
// about the same upstream.
const quietFor = time.Second

// hints holds the hints of the other instances.
type hints struct {
	mu     sync.Mutex                            // protects the fields below
	opened map[balancer.Key]map[string]time.Time // breakers, by instance
	heard  map[hint]time.Time                    // without the sender
}

// note records a hint, and reports whether it is new.
func (h *hints) note(said hint, now time.Time) (fresh bool) {
	said.From = ""
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.heard == nil || len(h.heard) >= maxDoubted {
		h.heard = map[hint]time.Time{}
	}
	fresh = now.Sub(h.heard[said]) >= quietFor
	h.heard[said] = now
	return fresh
}

// enough records that a breaker has opened at an instance. It reports whether breakers
// have opened at enough instances to blame the upstream and not the network to it: at
// least two, and half of all.
func (h *hints) enough(k balancer.Key, from string, live int, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.opened == nil || len(h.opened) >= maxDoubted {
		h.opened = map[balancer.Key]map[string]time.Time{}
	}
	if h.opened[k] == nil {
		h.opened[k] = map[string]time.Time{}
	}
	h.opened[k][from] = now
	for who, at := range h.opened[k] {
		if now.Sub(at) > quorumIn {
			delete(h.opened[k], who)
		}
	}
	return len(h.opened[k]) >= max(2, (live+1)/2)
}

// shareHints handles the hints of the other instances. It is called before the fleet
// runs.
func (f *inFleet) shareHints(g *Gate) {
	f.Hear(topicHints, func(message []byte) {
		var h hint
		if json.Unmarshal(message, &h) != nil || h.From == f.State().Own {
			return
		}
		k := balancer.Key{Pool: h.Pool, Addr: h.Upstream}
		now := time.Now()
		if h.Kind == hintBreaker && !f.hints.enough(k, h.From, f.Live(), now) || !f.hints.note(h, now) && h.Kind != hintBreaker {
			return
		}
		if p := g.current.Load().pools[h.Pool]; p != nil {
			p.live().Doubt(h.Upstream)
		}
	})
}

// hint tells the other instances why an upstream became unavailable, if the cause is more
// than this instance's own judgement. It does not wait.
func (f *inFleet) hint(c balancer.Change) {
	if f.alone() || c.Available {
		return
	}
	u := c.Upstream
	h := hint{From: f.State().Own, Pool: u.Key().Pool, Upstream: u.Addr()}
	switch {
	case u.Operator() != balancer.Ready: // the others know this from the change
		return
	case u.RefusedLive():
		h.Kind = hintRefused
	case u.Resting() || u.Health() == balancer.Draining:
		h.Kind = hintDrain
	case u.Breaker() == balancer.Open:
		h.Kind = hintBreaker
	default:
		return
	}
	if h.Kind != hintBreaker && !f.hints.note(h, time.Now()) {
		return // another instance has just sent it
	}
	if text, err := json.Marshal(h); err == nil {
		f.Tell(topicHints, text)
	}
}
