package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
)

// Order is the body of POST /v1/upstreams: a change of the upstreams with an address.
type Order struct {
	Upstream string `json:"upstream"`         // its address in any form, or the host name it was found under; POOL/ may precede it
	Pool     string `json:"pool,omitempty"`   // empty = every pool that has it
	State    string `json:"state,omitempty"`  // ready, drain or off; empty = unchanged
	Weight   int    `json:"weight,omitempty"` // 1 to 1000; 0 = unchanged
	Why      string `json:"why,omitempty"`    // shown in log and status
	For      string `json:"for,omitempty"`    // duration, for example 2h; empty = until it is taken back
	// KeepLast refuses drain and off, with the code LastUpstream, if a pool would then
	// have no upstream that takes requests.
	KeepLast bool `json:"keep_last,omitempty"`
}

// LastUpstream is the code of the answer that refuses an order because of
// [Order.KeepLast].
const LastUpstream = "last_upstream"

// Changed is the answer to an [Order].
type Changed struct {
	Upstreams []Place `json:"upstreams"`
	Lost      string  `json:"lost_at_restart,omitempty"` // why a restart loses changes; empty = it keeps them
}

// Place is an upstream of a pool.
type Place struct {
	Pool     string `json:"pool"`
	Upstream string `json:"upstream"`
	Left     int    `json:"left"` // upstreams of the pool that take requests now
	Of       int    `json:"of"`   // all upstreams of the pool
	// Changes are the ids of the changes in force now; none if the file says the same.
	Changes []string `json:"changes,omitempty"`
}

// errReadyFor refuses a duration that has no effect.
var errReadyFor = errors.New("the state ready ends a change, and takes no duration: leave out the field for")

// states are the states that an operator can set.
var states = []string{"ready", "drain", "off"}

func (s *Server) change(w http.ResponseWriter, r *http.Request) {
	var o Order
	if !Decode(w, r, &o) {
		return
	}
	until, err := ending(o.For)
	switch {
	case o.State != "" && !slices.Contains(states, o.State):
		refuse(w, 400, fmt.Sprintf("state %q: it must be ready, drain or off", o.State))
		return
	case o.Weight < 0 || o.Weight > 1000:
		refuse(w, 400, fmt.Sprintf("weight %d: it must be from 1 to 1000", o.Weight))
		return
	case err == nil && o.State == "ready" && o.Weight == 0 && o.For != "":
		err = errReadyFor
	}
	if err != nil {
		refuse(w, 400, err.Error())
		return
	}
	found, missing := s.find(o.Pool, o.Upstream)
	if missing == nil && o.KeepLast && o.State != "" && o.State != "ready" {
		missing = s.last(found)
	}
	if missing != nil {
		reply(w, missing.status, missing.problem)
		return
	}
	done := Changed{}
	for _, u := range found {
		place := Place{Pool: u.Key().Pool, Upstream: u.Addr()}
		for _, c := range o.changes(u) {
			c.Until = until
			c, err := s.opts.Control.Order(signed(r, c, o.Why))
			if err != nil {
				refused(w, err)
				return
			}
			place.Changes = append(place.Changes, c.ID)
		}
		place.Changes = slices.DeleteFunc(place.Changes, func(id string) bool { return id == "" })
		done.Upstreams = append(done.Upstreams, place)
	}
	for i := range done.Upstreams {
		at := &done.Upstreams[i]
		at.Left, at.Of = s.left(at.Pool, nil)
	}
	done.Lost = s.lost()
	reply(w, 200, done)
}

// changes returns the changes of an upstream that an order makes.
func (o Order) changes(u *balancer.Upstream) (list []changes.Change) {
	add := func(kind changes.Kind, value any) {
		text, _ := json.Marshal(value) // strings and numbers cannot fail
		list = append(list, changes.Change{Subject: changes.Subject{Kind: kind, Pool: u.Key().Pool, Upstream: u.Addr()}, Value: text})
	}
	if o.Weight > 0 {
		add(changes.Weight, o.Weight)
	}
	if o.State != "" {
		add(changes.State, o.State)
	}
	return list
}

// left counts the upstreams of a pool that take requests, apart from those in without.
func (s *Server) left(pool string, without []*balancer.Upstream) (left, of int) {
	for _, p := range s.opts.Control.Pools() {
		if p.Name() != pool {
			continue
		}
		members := p.Members()
		of = len(members)
		for i := range members {
			if members[i].Available() && !slices.Contains(without, members[i].Upstream) {
				left++
			}
		}
	}
	return left, of
}

// last refuses an order that takes the last upstreams out of a pool.
func (s *Server) last(found []*balancer.Upstream) *refusal {
	for _, u := range found {
		pool := u.Key().Pool
		left, of := s.left(pool, found)
		if left > 0 || !u.Available() {
			continue
		}
		text := fmt.Sprintf("%s is the last available upstream of pool %s", u.Addr(), pool)
		if now, _ := s.left(pool, nil); now > 1 {
			text = fmt.Sprintf("these %d upstreams are the last available ones of pool %s", now, pool)
		}
		return &refusal{409, problem{Code: LastUpstream, Of: of, Error: fmt.Sprintf("%s (of %d): without it, requests wait, and then fail with 503", text, of)}}
	}
	return nil
}

// Reloaded is the answer to POST /v1/reload.
type Reloaded struct {
	Changes []string `json:"changes"`
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	changes, err := s.opts.Control.Reload("admin API, by " + authorOf(r))
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	reply(w, 200, Reloaded{append([]string{}, changes...)})
}

// Draining is the answer to POST /v1/drain.
type Draining struct {
	State string `json:"state"`
}

func (s *Server) drain(w http.ResponseWriter, r *http.Request) {
	s.opts.Control.Drain("admin API, by " + authorOf(r))
	reply(w, http.StatusAccepted, Draining{"draining"})
}
