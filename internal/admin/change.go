package admin

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/goodgate/goodgate/balancer"
)

// Order is the body of POST /v1/upstreams: a change of the upstreams with an
// address.
type Order struct {
	Upstream string `json:"upstream"`         // its address, or the host name it was found under
	Pool     string `json:"pool,omitempty"`   // empty = every pool that has it
	State    string `json:"state,omitempty"`  // ready, drain or off; empty = as it is
	Weight   int    `json:"weight,omitempty"` // 1 to 1000, until the next change of the pool's configuration; 0 = as it is
}

// Changed is what was changed.
type Changed struct {
	Upstreams []Place `json:"upstreams"`
}

// Place is an upstream of a pool.
type Place struct {
	Pool     string `json:"pool"`
	Upstream string `json:"upstream"`
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
	found := s.find(o)
	if len(found) == 0 {
		refuse(w, 404, "no such upstream")
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
		done.Upstreams = append(done.Upstreams, Place{u.Key().Pool, u.Addr()})
	}
	reply(w, 200, done)
}

func (s *Server) find(o Order) (found []*balancer.Upstream) {
	for _, p := range s.opts.Control.Pools() {
		if o.Pool != "" && o.Pool != p.Name() {
			continue
		}
		members := p.Members()
		for i := range members {
			if u := members[i].Upstream; o.Upstream != "" && (u.Addr() == o.Upstream || u.Name() == o.Upstream) {
				found = append(found, u)
			}
		}
	}
	return found
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

func (s *Server) drain(w http.ResponseWriter, _ *http.Request) {
	s.opts.Control.Drain("admin API")
	reply(w, http.StatusAccepted, struct {
		State string `json:"state"`
	}{"draining"})
}
