package admin

import (
	"os"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/proxy"
)

// Status is all that is known at a moment. It is the body of /v1/status and of
// each event of /v1/events.
type Status struct {
	Version  string      `json:"version"`
	PID      int         `json:"pid"`
	Now      time.Time   `json:"now"`
	State    string      `json:"state"` // serving or draining
	Config   ConfigState `json:"config"`
	Pools    []Pool      `json:"pools"`
	Troubles []Trouble   `json:"troubles"` // what is wrong, the worst first
	Failures []*Request  `json:"failures"` // the latest, the last one first
}

// ConfigState says how current the configuration is.
type ConfigState struct {
	Loaded  time.Time `json:"loaded"`          // when the one in use was put into use
	Reloads int       `json:"reloads"`         // that succeeded
	Failed  time.Time `json:"failed,omitzero"` // when the last attempt failed; zero when the last succeeded
	Error   string    `json:"error,omitempty"` // why
}

// Pool is what is known of a pool.
type Pool struct {
	Name       string     `json:"name"`
	Policy     string     `json:"policy"`
	Available  int        `json:"available"`
	InFlight   int        `json:"in_flight"`
	Places     int        `json:"places"` // requests it may have at once; 0 = no limit
	Waiting    int        `json:"waiting"`
	BudgetLeft int        `json:"retry_budget_left"`
	Upstreams  []Upstream `json:"upstreams"`

	SourceError string `json:"lookup_error,omitempty"` // why its upstreams could not be looked up
	Demand      Demand `json:"demand"`
	Counts      Counts `json:"counts"`
	Past        Past   `json:"past"`

	sum     recent
	missing reason.Reason // the reason of SourceError
}

// Demand is what is asked of a pool, in units that an autoscaler takes.
type Demand struct {
	Requests    int     `json:"requests"`           // at once: in flight, queued and held
	Utilisation float64 `json:"utilisation"`        // in flight over places; 0 without a limit
	Queued      int     `json:"queued"`             // requests that wait for a place
	QueueMS     float64 `json:"queue_wait_ms"`      // mean of those that queued in the last ten seconds
	Refused     float64 `json:"refused_per_second"` // for overload, in the last ten seconds
	Rate        float64 `json:"requests_per_second"`
}

// Upstream is what is known of an upstream.
type Upstream struct {
	Address   string  `json:"address"`
	Name      string  `json:"name,omitempty"`
	Weight    int     `json:"weight"`
	Tier      int     `json:"tier"`
	Available bool    `json:"available"`
	Why       string  `json:"why"` // in words, when it is not simply available
	Health    string  `json:"health"`
	Breaker   string  `json:"breaker"`
	Operator  string  `json:"operator"`
	Resting   bool    `json:"resting"`
	Trusted   bool    `json:"trusted"`
	InFlight  int     `json:"in_flight"`
	Limit     int     `json:"max_in_flight"` // 0 = none
	IdleConns int     `json:"idle_conns"`
	Tunnels   int     `json:"tunnels,omitempty"` // upgraded connections that are open, in InFlight too
	LatencyMS float64 `json:"latency_ms"`        // 0 = not known
	Probe     string  `json:"probe_error,omitempty"`
	Slow      bool    `json:"slow"` // than the others, so that it gets less
	Minute    Minute  `json:"last_minute"`
}

// latestFailures is how many a status has.
const latestFailures = 20

func (s *Server) status() *Status {
	out := &Status{
		Version: s.opts.Version, PID: os.Getpid(), Now: time.Now(), State: "serving",
		Config: s.opts.Control.ConfigState(), Pools: s.pools(), Failures: s.opts.Requests.Varied(latestFailures),
	}
	out.Troubles = troubles(out)
	if s.opts.Control.Draining() {
		out.State = "draining"
	}
	return out
}

func (s *Server) pools() []Pool {
	list := []Pool{}
	for _, p := range s.opts.Control.Pools() {
		list = append(list, s.pool(p))
	}
	return list
}

func (s *Server) pool(p *proxy.Pool) Pool {
	out := Pool{
		Name: p.Name(), Policy: p.Policy(), InFlight: p.InFlight(), Places: p.Places(), Waiting: p.Waiting(),
		BudgetLeft: p.BudgetLeft(), Upstreams: []Upstream{},
	}
	now := time.Now().Unix()
	out.SourceError, out.missing = s.opts.Control.SourceError(p.Name())
	out.Counts, out.Past, out.sum = s.opts.Tally.pool(p.Name(), now)
	out.Demand = out.demand(p.Queued())
	members := p.Members()
	for i := range members {
		u := s.upstream(&members[i], now)
		if u.Available {
			out.Available++
		}
		out.Upstreams = append(out.Upstreams, u)
	}
	return out
}

func (p *Pool) demand(queued int) Demand {
	d := Demand{
		Requests: p.InFlight + queued + p.Waiting, Queued: queued, QueueMS: milliseconds(p.sum.queue),
		Refused: p.sum.refusals, Rate: p.sum.perSecond,
	}
	if p.Places > 0 {
		d.Utilisation = float64(p.InFlight) / float64(p.Places)
	}
	return d
}

func (s *Server) upstream(m *balancer.Member, now int64) Upstream {
	u := Upstream{
		Address: m.Addr(), Name: m.Name(), Weight: m.Weight, Tier: m.Tier, Limit: m.MaxInFlight,
		Available: m.Available(), Health: m.Health().String(), Breaker: m.Breaker().String(), Operator: m.Operator().String(),
		Resting: m.Resting(), Trusted: m.Trusted(), InFlight: m.InFlight(), IdleConns: proxy.IdleConns(m.Upstream), Tunnels: proxy.TunnelsOf(m.Upstream).Open,
		LatencyMS: milliseconds(m.Latency()), Probe: s.opts.Control.ProbeError(m.Key()),
		Slow: m.Slow(), Minute: s.opts.Tally.upstream(m.Key(), now),
	}
	u.Why = verdict(&u, m)
	return u
}

// verdict says in words why an upstream is, or is not, given requests.
func verdict(u *Upstream, m *balancer.Member) string {
	probe := ""
	if u.Probe != "" {
		probe = ": " + u.Probe
	}
	switch {
	case m.Operator() == balancer.Drain:
		return "drained by the operator"
	case m.Operator() == balancer.Off:
		return "switched off by the operator"
	case m.Resting():
		return "it has said that it is about to end (Goodgate-Drain, or a 503 that a check has confirmed)"
	case m.Breaker() == balancer.Open:
		return "its breaker is open: live requests failed"
	case m.Health() == balancer.Checking:
		return "not checked yet" + probe
	case m.Trusted():
		return "used although its checks fail, since no other passes and it answers" + probe
	case m.Health() == balancer.Down:
		return "its checks fail" + probe
	case m.Early():
		return "its breaker lets a few requests through before its time, since nobody else is left"
	case m.Breaker() == balancer.HalfOpen:
		return "its breaker lets a few requests through as a trial"
	}
	if u.Slow {
		return "available; slower than the others, so that it gets less"
	}
	return "available"
}
