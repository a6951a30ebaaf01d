package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/duration"
	"github.com/goodgate/goodgate/internal/similar"
)

// Unfit is the reason that an order cannot be carried out.
type Unfit struct {
	Status int    // of the answer
	Code   string // for programs, for example Exists; may be empty
	Text   string
}

func (e *Unfit) Error() string { return e.Text }

// Exists is the code of the answer to an order that adds an existing upstream.
const Exists = "exists"

// Shown is a change as the API reports it.
type Shown struct {
	ID       string          `json:"id"`
	Kind     changes.Kind    `json:"kind"`
	Pool     string          `json:"pool,omitempty"`
	Upstream string          `json:"upstream,omitempty"`
	Route    string          `json:"route,omitempty"`
	Fault    string          `json:"fault,omitempty"` // kind of an injected fault
	Value    json.RawMessage `json:"value,omitempty"`
	Says     string          `json:"says"` // in words
	By       string          `json:"by"`   // the token's name, or local
	Note     string          `json:"note,omitempty"`
	Why      string          `json:"why,omitempty"`
	At       time.Time       `json:"at"`
	Until    time.Time       `json:"until,omitzero"` // time of its automatic end
}

func show(c changes.Change) Shown {
	return Shown{ID: c.ID, Kind: c.Kind, Pool: c.Pool, Upstream: c.Upstream, Route: c.Route, Fault: c.Fault, Value: c.Value, Says: says(c),
		By: c.By, Note: c.Note, Why: c.Why, At: c.At, Until: c.Until}
}

// says describes a change in words.
func says(c changes.Change) string {
	switch c.Kind {
	case changes.Added:
		return fmt.Sprintf("%s was added to pool %s", c.Upstream, c.Pool)
	case changes.Removed:
		return fmt.Sprintf("%s was removed from pool %s", c.Upstream, c.Pool)
	case changes.State:
		state := "drained"
		if string(c.Value) == `"off"` {
			state = "switched off"
		}
		return fmt.Sprintf("%s of pool %s is %s", c.Upstream, c.Pool, state)
	case changes.Weight:
		return fmt.Sprintf("%s of pool %s has weight %s", c.Upstream, c.Pool, c.Value)
	case changes.Split:
		return fmt.Sprintf("route %s is split %s", c.Route, c.Words())
	case changes.Maintenance:
		var terms MaintenanceTerms
		if json.Unmarshal(c.Value, &terms) == nil && terms.Off {
			return fmt.Sprintf("the maintenance of pool %s in the configuration is off", c.Pool)
		}
		return fmt.Sprintf("pool %s is in maintenance", c.Pool)
	case changes.Pause:
		return fmt.Sprintf("pool %s is paused", c.Pool)
	case changes.Deploy:
		return fmt.Sprintf("a deploy to pool %s is in progress", c.Pool)
	case changes.Fault:
		f := FaultOf(c)
		return fmt.Sprintf("route %s has an injected fault: %s", c.Route, f.Says())
	}
	return string(c.Kind)
}

// inForce returns the changes in force of a pool, or of all pools if pool is empty,
// oldest first.
func (s *Server) inForce(pool string) []Shown {
	list := []Shown{}
	for _, c := range s.opts.Changes.All() {
		if pool == "" || c.Pool == pool {
			list = append(list, show(c))
		}
	}
	return list
}

// lost returns the reason that a restart loses changes; empty if it keeps them.
func (s *Server) lost() string {
	if err := s.opts.Changes.Kept(); err != nil {
		return err.Error()
	}
	return ""
}

// InForce is the answer to GET /v1/changes.
type InForce struct {
	Changes []Shown `json:"changes"`                   // oldest first
	Lost    string  `json:"lost_at_restart,omitempty"` // why a restart loses changes; empty = it keeps them
}

func (s *Server) allChanges(w http.ResponseWriter, _ *http.Request) {
	reply(w, 200, InForce{s.inForce(""), s.lost()})
}

// Wish is the body of POST /v1/changes.
type Wish struct {
	Kind     changes.Kind    `json:"kind"`               // added, removed, state or weight
	Pool     string          `json:"pool,omitempty"`     // empty = the only pool, or every pool that has the upstream
	Upstream string          `json:"upstream,omitempty"` // a URL for added; otherwise as in POST /v1/upstreams
	Value    json.RawMessage `json:"value,omitempty"`    // "drain", 5; for added {"weight":1,"tier":0,"max_in_flight":0}
	Why      string          `json:"why,omitempty"`
	For      string          `json:"for,omitempty"` // duration, for example 2h; empty = until it is taken back
	KeepLast bool            `json:"keep_last,omitempty"`
}

// Ordered is the answer to a [Wish].
type Ordered struct {
	Changes []Shown  `json:"changes"`                   // in force now, or just taken back; none if the file says the same
	Lost    string   `json:"lost_at_restart,omitempty"` // why a restart loses changes; empty = it keeps them
	Empty   []string `json:"empty,omitempty" doc:"pools of these changes that now have no upstream for requests"`
}

func (s *Server) wish(w http.ResponseWriter, r *http.Request) {
	var o Wish
	if !Decode(w, r, &o) {
		return
	}
	until, err := ending(o.For)
	switch {
	case err != nil:
	case o.Kind == changes.State && o.For != "" && string(o.Value) == `"ready"`:
		err = errReadyFor
	case o.Kind == changes.Removed && len(o.Value) > 0 && string(o.Value) != "null":
		err = fmt.Errorf("value %s: kind removed takes no value", o.Value)
	}
	if err != nil {
		refuse(w, 400, err.Error())
		return
	}
	subjects, missing := s.subjects(o)
	if missing != nil {
		reply(w, missing.status, missing.problem)
		return
	}
	done := Ordered{Changes: []Shown{}}
	for _, subject := range subjects {
		c, err := s.opts.Control.Order(signed(r, changes.Change{Subject: subject, Value: o.Value, Until: until}, o.Why))
		if err != nil {
			refused(w, err)
			return
		}
		if c.ID != "" {
			done.Changes = append(done.Changes, show(c))
		}
	}
	if done.Lost = s.lost(); o.Kind != changes.Added { // a new upstream must pass its checks first
		done.Empty = s.empty(subjects)
	}
	reply(w, 200, done)
}

// empty returns the pools of some changes in which no upstream takes requests.
func (s *Server) empty(of []changes.Subject) (pools []string) {
	for _, subject := range of {
		if subject.Pool == "" || slices.Contains(pools, subject.Pool) || !s.hasPool(subject.Pool) {
			continue
		}
		if left, _ := s.left(subject.Pool, nil); left == 0 {
			pools = append(pools, subject.Pool)
		}
	}
	return pools
}

// subjects returns the subjects of a wish.
func (s *Server) subjects(o Wish) ([]changes.Subject, *refusal) {
	switch o.Kind {
	case changes.Added:
		return s.newcomer(o)
	case changes.Removed, changes.State, changes.Weight:
	default:
		return nil, &refusal{400, problem{Error: fmt.Sprintf("kind %q: this endpoint takes added, removed, state and weight; other kinds have endpoints of their own", o.Kind)}}
	}
	found, missing := s.find(o.Pool, o.Upstream)
	if missing == nil && o.KeepLast && o.Kind != changes.Weight && string(o.Value) != `"ready"` {
		missing = s.last(found)
	}
	if missing != nil {
		return nil, missing
	}
	what, list := spell(o.Upstream), []changes.Subject{}
	for _, u := range found {
		subject := changes.Subject{Kind: o.Kind, Pool: u.Key().Pool, Upstream: u.Addr()}
		if o.Kind == changes.Removed {
			subject.Upstream = what.entry(u)
		}
		if !slices.Contains(list, subject) {
			list = append(list, subject)
		}
	}
	return list, nil
}

// entry returns the text that identifies a removed upstream. If the operator used its
// host name, entry returns the name, so that none of its addresses returns.
func (s spelled) entry(u *balancer.Upstream) string {
	if _, port, err := net.SplitHostPort(u.Addr()); err == nil && u.Name() != "" && sameHost(u.Name()) == s.host {
		return net.JoinHostPort(u.Name(), port)
	}
	return u.Addr()
}

// newcomer returns the subject of an upstream to add.
func (s *Server) newcomer(o Wish) ([]changes.Subject, *refusal) {
	var pools []string
	for _, p := range s.opts.Control.Pools() {
		pools = append(pools, p.Name())
	}
	switch {
	case o.Upstream == "":
		return nil, &refusal{400, problem{Error: "upstream is missing: set it to an address or a host name"}}
	case o.Pool == "" && len(pools) == 1:
		o.Pool = pools[0]
	case !slices.Contains(pools, o.Pool):
		return nil, &refusal{404, problem{Error: NoPool(o.Pool, pools)}}
	}
	return []changes.Subject{{Kind: changes.Added, Pool: o.Pool, Upstream: o.Upstream}}, nil
}

func (s *Server) takeBack(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	for _, c := range s.opts.Changes.All() {
		if c.ID == id && c.Kind == changes.Deploy { // the deploy would continue, and a restart would lose it
			refuse(w, 409, fmt.Sprintf("a deploy cannot be undone as a change: goodgate deploy back %s ends it", c.Pool))
			return
		}
	}
	c, err := s.opts.Changes.TakeBack(id, authorOf(r), r.URL.Query().Get("why"))
	if errors.Is(err, changes.ErrUnknown) {
		refuse(w, 404, s.noChange(id))
		return
	}
	if err != nil {
		refused(w, err)
		return
	}
	done := Ordered{Changes: []Shown{show(c)}, Lost: s.lost()}
	if c.Kind == changes.Added {
		done.Empty = s.empty([]changes.Subject{c.Subject})
	}
	reply(w, 200, done)
}

// noChange says that a change is not in force, and lists those that are.
func (s *Server) noChange(id string) string {
	var ids []string
	for _, c := range s.opts.Changes.All() {
		ids = append(ids, c.ID)
	}
	if len(ids) == 0 {
		return fmt.Sprintf("there is no change %q: none is in force", id)
	}
	return fmt.Sprintf("there is no change %q%s %s", id, meant(similar.Nearest(id, ids)), existing("change", ids))
}

// longest is the longest duration of a change.
const longest = 10 * 365 * 24 * time.Hour

// ending returns the end of a change that lasts as long as text says; zero = never.
func ending(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > longest {
		return time.Time{}, fmt.Errorf("for %q: expected a duration such as 30m or 2h, of %s at most", text, duration.Text(longest))
	}
	return time.Now().Add(d), nil
}

// refused answers an order that failed.
func refused(w http.ResponseWriter, err error) {
	if e, ok := errors.AsType[*Unfit](err); ok {
		reply(w, e.Status, problem{Error: e.Text, Code: e.Code})
		return
	}
	status := 500
	switch {
	case errors.Is(err, changes.ErrInvalid):
		status = 400
	case errors.Is(err, changes.ErrUnknown):
		status = 404
	case errors.Is(err, changes.ErrFull), errors.Is(err, changes.ErrFrozen):
		status = 409
	}
	refuse(w, status, err.Error())
}
