package admin

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// Detail is everything that the dashboard shows of one pool.
type Detail struct {
	Gate
	Line     PoolLine         `json:"line"`
	Pool     Pool             `json:"pool"`
	More     []UpstreamDetail `json:"more"` // of the upstreams, in the pool's order
	Hour     Hour             `json:"hour"`
	Troubles []Trouble        `json:"troubles"`
	Failures []Failure        `json:"failures"`
	Changes  []Shown          `json:"changes"` // by operators, as in an overview
	Events   []Event          `json:"events"`  // of the pool and of goodgate itself, the latest first
	Wiring   Wiring           `json:"wiring"`  // the listeners, and the routes to the pool
}

// UpstreamDetail is the journal's view of an upstream.
type UpstreamDetail struct {
	State string    `json:"state"`          // as in PoolLine.States
	Since time.Time `json:"since,omitzero"` // when it began
	Traffic
	Minutes []Cell `json:"minutes"` // of the last hour, the present one at the end
}

// Wiring describes how requests arrive.
type Wiring struct {
	Listeners []Listener `json:"listeners"`
	Routes    []Route    `json:"routes"`
}

// Listener is an address that clients connect to.
type Listener struct {
	Address      string        `json:"address"`
	Name         string        `json:"name,omitempty"`
	Protocols    []string      `json:"protocols"`
	Certificates []Certificate `json:"certificates,omitempty"`
}

// Certificate is one certificate of a listener.
type Certificate struct {
	File  string    `json:"file"`
	Until time.Time `json:"until"` // end of its validity; the start of 1970 if there is none yet
}

// Route is a condition for requests, and their destination.
type Route struct {
	Name  string   `json:"name"`
	Match string   `json:"match"` // in words
	Pool  string   `json:"pool,omitempty"`
	Split []string `json:"split,omitempty"` // the pools of its split
	To    string   `json:"to"`              // in words
}

// detail returns a pool's detail, with its history from a time on.
func (s *Server) detail(live *proxy.Pool, from int64) *Detail {
	all := s.statusOf([]Pool{s.pool(live)})
	p, now := &all.Pools[0], all.Now.Unix()
	d := &Detail{
		Gate: s.gate(all), Pool: *p, Hour: s.opts.Journal.history.hour(p.Name, from, now), Troubles: []Trouble{},
		Failures: briefly(s.opts.Requests.of(p.Name, latestFailures)), Events: s.opts.Journal.line.of(p.Name, poolEvents), Changes: newest(s.inForce(p.Name)),
		Wiring: Wiring{Listeners: []Listener{}, Routes: []Route{}},
	}
	for _, t := range all.Troubles {
		if t.Pool != "" {
			d.Troubles = append(d.Troubles, t)
		}
	}
	d.Line = s.lineOf(p, d.Troubles, now)
	for i := range p.Upstreams {
		u := &p.Upstreams[i]
		k := balancer.Key{Pool: p.Name, Addr: u.Address}
		more := UpstreamDetail{State: stateOf(u.Situation), Since: s.opts.Journal.line.since(k)}
		more.Traffic, more.Minutes = s.opts.Journal.history.upstream(p.Name, u.Address, now)
		d.More = append(d.More, more)
	}
	if s.opts.Wiring != nil {
		w := s.opts.Wiring()
		d.Wiring.Listeners = w.Listeners
		for _, r := range w.Routes {
			if r.Pool == p.Name || slices.Contains(r.Split, p.Name) {
				d.Wiring.Routes = append(d.Wiring.Routes, r)
			}
		}
	}
	return d
}

func (s *Server) onePoolDetail(w http.ResponseWriter, r *http.Request) {
	from := int64(0)
	if text := r.URL.Query().Get("from"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			refuse(w, 400, "from "+text+": expected a time in seconds since 1970")
			return
		}
		from = n
	}
	for _, p := range s.opts.Control.Pools() {
		if p.Name() == r.PathValue("pool") {
			compact(w, s.detail(p, from))
			return
		}
	}
	refuse(w, 404, s.noPool(r.PathValue("pool")))
}

// of returns up to n requests that a pool's upstreams failed, latest first, with few
// alike.
func (r *Ring) of(pool string, n int) []*Request {
	list := slices.DeleteFunc(r.Varied(ringFailures+ringRefused), func(q *Request) bool { return q.Pool != pool })
	return list[:min(n, len(list))]
}

func (s *Server) wiring(w http.ResponseWriter, _ *http.Request) {
	out := Wiring{Listeners: []Listener{}, Routes: []Route{}}
	if s.opts.Wiring != nil {
		out = s.opts.Wiring()
	}
	compact(w, out)
}

func (s *Server) timeline(w http.ResponseWriter, _ *http.Request) {
	compact(w, s.opts.Journal.line.of("", mostEvents))
}

// mostEvents bounds the answer of /v1/timeline.
const mostEvents = 500
