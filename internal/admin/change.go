package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/goodgate/goodgate/balancer"
)

// Order is the body of POST /v1/upstreams: a change of the upstreams with an
// address.
type Order struct {
	Upstream string `json:"upstream"`         // its address in any form, or the host name it was found under; POOL/ may stand before it
	Pool     string `json:"pool,omitempty"`   // empty = every pool that has it
	State    string `json:"state,omitempty"`  // ready, drain or off; empty = as it is
	Weight   int    `json:"weight,omitempty"` // 1 to 1000, until the next change of the pool's configuration; 0 = as it is
	// KeepLast refuses drain and off, with the code LastUpstream, when a pool would have no
	// upstream left that takes requests.
	KeepLast bool `json:"keep_last,omitempty"`
}

// LastUpstream is the code of the answer to an order that [Order.KeepLast] refuses.
const LastUpstream = "last_upstream"

// Changed is what was changed.
type Changed struct {
	Upstreams []Place `json:"upstreams"`
}

// Place is an upstream of a pool.
type Place struct {
	Pool     string `json:"pool"`
	Upstream string `json:"upstream"`
	Left     int    `json:"left"` // upstreams of the pool that take requests now
	Of       int    `json:"of"`   // of so many
}

var operators = map[string]balancer.Operator{"ready": balancer.Ready, "drain": balancer.Drain, "off": balancer.Off}

func (s *Server) change(w http.ResponseWriter, r *http.Request) {
	var o Order
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		refuse(w, 400, "the body is no order: "+err.Error())
		return
	}
	operator, known := operators[o.State]
	switch {
	case !known && o.State != "":
		refuse(w, 400, fmt.Sprintf("state %q: it is ready, drain or off", o.State))
		return
	case o.Weight < 0 || o.Weight > 1000:
		refuse(w, 400, fmt.Sprintf("weight %d: it is from 1 to 1000", o.Weight))
		return
	}
	found, missing := s.find(o)
	if missing == nil && o.KeepLast && known && operator != balancer.Ready {
		missing = s.last(found)
	}
	if missing != nil {
		reply(w, missing.status, missing.problem)
		return
	}
	done := Changed{}
	for _, u := range found {
		if o.Weight > 0 {
			if err := s.opts.Control.SetWeight(u.Key(), o.Weight); err != nil {
				refuse(w, 409, err.Error())
				return
			}
		}
		if known {
			u.SetOperator(operator)
		}
		done.Upstreams = append(done.Upstreams, Place{Pool: u.Key().Pool, Upstream: u.Addr()})
	}
	for i := range done.Upstreams {
		at := &done.Upstreams[i]
		at.Left, at.Of = s.left(at.Pool, nil)
	}
	reply(w, 200, done)
}

// left counts the upstreams of a pool that take requests, without some.
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
		text := fmt.Sprintf("%s is the last upstream of pool %s that takes requests", u.Addr(), pool)
		if now, _ := s.left(pool, nil); now > 1 {
			text = fmt.Sprintf("these %d upstreams are the last of pool %s that take requests", now, pool)
		}
		return &refusal{409, problem{Code: LastUpstream, Of: of, Error: fmt.Sprintf("%s (of %d): without it, requests wait, and then fail with 503", text, of)}}
	}
	return nil
}

// Reloaded is the answer to POST /v1/reload.
type Reloaded struct {
	Changes []string `json:"changes"`
}

func (s *Server) reload(w http.ResponseWriter, _ *http.Request) {
	changes, err := s.opts.Control.Reload("admin API")
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

func (s *Server) drain(w http.ResponseWriter, _ *http.Request) {
	s.opts.Control.Drain("admin API")
	reply(w, http.StatusAccepted, Draining{"draining"})
}
