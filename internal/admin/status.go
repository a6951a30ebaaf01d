package admin

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/internal/split"
	"github.com/goodgate/goodgate/proxy"
)

// Status is the complete state at one moment. It is the body of /v1/status and of each
// event of /v1/events.
type Status struct {
	Version  string         `json:"version"`
	PID      int            `json:"pid"`
	Now      time.Time      `json:"now"`
	State    string         `json:"state"` // serving or draining
	Config   ConfigState    `json:"config"`
	Pools    []Pool         `json:"pools"`
	Troubles []Trouble      `json:"troubles"`                  // the worst first
	Fleet    *Fleet         `json:"fleet,omitempty"`           // absent = no fleet
	Failures []*Request     `json:"failures"`                  // latest first
	Splits   []split.Report `json:"splits,omitempty"`          // of routes, by their names
	Faults   []Fault        `json:"faults,omitempty"`          // injected faults that requests can meet
	Changes  []Shown        `json:"changes"`                   // by operators, beside the configuration file; oldest first
	Lost     string         `json:"lost_at_restart,omitempty"` // why a restart loses changes; empty = it keeps them
}

// ConfigState reports how current the configuration is.
type ConfigState struct {
	Loaded  time.Time `json:"loaded"`          // start of the configuration in use
	Reloads int       `json:"reloads"`         // successful reloads
	Failed  time.Time `json:"failed,omitzero"` // when the last attempt failed; zero when the last succeeded
	Error   string    `json:"error,omitempty"` // why

	RolledBack int `json:"rolled_back,omitempty"` // the version in use after a rollback; 0 = the file's

	Faults []string `json:"faults,omitempty"` // routes with active fault injection
}

// Pool is the state of a pool.
type Pool struct {
	Name       string     `json:"name"`
	Policy     string     `json:"policy"`
	Available  int        `json:"available"`
	InFlight   int        `json:"in_flight"`
	Places     int        `json:"places"` // limit on concurrent requests; 0 = none
	Waiting    int        `json:"waiting"`
	BudgetLeft int        `json:"retry_budget_left"`
	Upstreams  []Upstream `json:"upstreams"`
	Deploy     string     `json:"deploy,omitempty"` // stage of a deploy to the pool; empty = none

	Paused      *PauseState       `json:"paused,omitempty"`
	Maintenance *MaintenanceState `json:"maintenance,omitempty"`

	SourceError string     `json:"lookup_error,omitempty"` // error of looking up its upstreams
	Zones       *Zones     `json:"zones,omitempty"`        // zone-aware balancing; nil = goodgate has no zone
	Sources     []Source   `json:"sources,omitempty"`      // sources of upstreams, without fixed addresses
	Cache       *Cache     `json:"cache,omitempty"`        // kept responses; nil = no cache
	Demand      Demand     `json:"demand"`
	Minute      LastMinute `json:"last_minute"`
	Totals      Sums       `json:"totals"` // since the start
	Counts      Counts     `json:"counts"` // the same by reason
	Past        Past       `json:"past"`   // for charts; Minute has the sums

	seen     sightings
	unequal  bool          // its upstreams may differ in speed
	best     *Upstream     // the fastest upstream; nil = not determined yet
	missing  reason.Reason // the reason of SourceError
	answered bool          // at least one lookup has succeeded
}

// Demand is the load that clients ask of a pool, in units for an autoscaler.
type Demand struct {
	Requests    int     `json:"requests"`           // concurrent requests: in flight, queued and held
	Utilisation float64 `json:"utilisation"`        // in flight over places; 0 without a limit
	Queued      int     `json:"queued"`             // requests in the queue
	QueueMS     float64 `json:"queue_wait_ms"`      // mean wait of requests queued in the last ten seconds
	Refused     float64 `json:"refused_per_second"` // for overload, in the last ten seconds
	Rate        float64 `json:"requests_per_second"`
}

// Upstream is the state of an upstream.
type Upstream struct {
	Address       string       `json:"address"`
	Name          string       `json:"name,omitempty"`
	Weight        int          `json:"weight"`                  // as configured, or as an operator has set it
	AgentPercent  int          `json:"agent_percent,omitempty"` // percentage of the weight that counts, because the upstream's agent says so; 0 = 100
	Tier          int          `json:"tier"`
	Available     bool         `json:"available"`
	Why           string       `json:"why"`                     // in words, unless it is simply available
	Situation     situation.ID `json:"situation"`               // its row in the table
	Headline      string       `json:"headline,omitempty"`      // as in troubles; empty if it is simply available
	Since         time.Time    `json:"since,omitzero"`          // last change of Available, or its arrival
	OperatorSince time.Time    `json:"operator_since,omitzero"` // last change of the operator's state

	Zone      string            `json:"zone,omitempty"`
	Lifecycle string            `json:"lifecycle"`          // as its source reports: serving, not_ready or terminating
	Metadata  map[string]string `json:"metadata,omitempty"` // other facts from the source

	Health    string  `json:"health"`
	Breaker   string  `json:"breaker"`
	Operator  string  `json:"operator"`
	Resting   bool    `json:"resting"`
	Trusted   bool    `json:"trusted"`
	InFlight  int     `json:"in_flight"`
	Limit     int     `json:"max_in_flight"`                 // 0 = none
	FleetMax  int     `json:"max_in_flight_fleet,omitempty"` // limit of the whole fleet, of which max_in_flight is a part; 0 = not divided
	IdleConns int     `json:"idle_conns"`
	Tunnels   int     `json:"tunnels,omitempty"` // open upgraded connections, also in InFlight
	LatencyMS float64 `json:"latency_ms"`        // mean time to an answer in the last minute; 0 = unknown
	Probe     string  `json:"probe_error,omitempty"`
	Check     Check   `json:"check"` // the last one
	Slow      bool    `json:"slow"`  // slower than the others, so that it gets fewer requests
	Late      bool    `json:"late"`  // many requests are late here, and other upstreams answer first
	Minute    Minute  `json:"last_minute"`

	state       situation.ID
	stateStatus int       // of the answer to the check, if the status was wrong
	flips       int       // changes of Available lately
	staged      time.Time // last change of the lifecycle
}

// latestFailures is the number of failures in a status.
const latestFailures = 20

func (s *Server) status() *Status { return s.statusOf(s.pools()) }

// statusOf returns the status of some pools.
func (s *Server) statusOf(pools []Pool) *Status {
	out := &Status{
		Version: s.opts.Version, PID: os.Getpid(), Now: time.Now(), State: "serving",
		Config: s.opts.Control.ConfigState(), Pools: pools, Failures: s.opts.Requests.Varied(latestFailures), Fleet: s.fleet(), Splits: s.splitReports(), Faults: s.faults(),
		Changes: s.inForce(""), Lost: s.lost(),
	}
	out.Troubles = s.troubles(out)
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
		BudgetLeft: p.BudgetLeft(), Upstreams: []Upstream{}, unequal: !p.ComparesSpeeds(),
	}
	now := time.Now()
	if s.opts.Deploy != nil {
		out.Deploy = s.opts.Deploy(p.Name())
	}
	out.SourceError, out.missing = s.opts.Control.SourceError(p.Name())
	out.Zones, out.Cache = zonesOf(p.Zones()), cacheOf(p)
	out.Sources = s.opts.Control.Sources(p.Name())
	out.answered = s.opts.Control.Found(p.Name())
	v := s.opts.Tally.minute(p.Name(), now.Unix())
	out.Counts, out.Totals, out.Past, out.Minute, out.seen = v.counts, v.totals, v.past, v.minute, v.seen
	out.Demand = out.demand(p.Queued(), v.recent)
	members := p.Members()
	for i := range members {
		m := v.upstreams[members[i].Addr()]
		if m.Reasons == nil {
			m.Reasons = map[string]int{}
		}
		u := s.upstream(&members[i], m, now)
		if u.Available {
			out.Available++
		}
		out.Upstreams = append(out.Upstreams, u)
	}
	for i := range out.Upstreams {
		if u := &out.Upstreams[i]; u.Available && u.oftenLate(&out) && now.Sub(u.Minute.late[situation.Slow].last) <= recently {
			u.Late = true
			u.Why = u.verdict()
		}
	}
	out.closed(s.opts.Control.Closure(p.Name()), p.OnStandby())
	return out
}

func (p *Pool) demand(queued int, r recent) Demand {
	d := Demand{
		Requests: p.InFlight + queued + p.Waiting, Queued: queued, QueueMS: milliseconds(r.queue),
		Refused: r.refusals, Rate: r.perSecond,
	}
	if p.Places > 0 {
		d.Utilisation = float64(p.InFlight) / float64(p.Places)
	}
	return d
}

func (s *Server) upstream(m *balancer.Member, minute Minute, now time.Time) Upstream {
	u := Upstream{
		Address: m.Addr(), Name: m.Name(), Weight: m.Weight, Tier: m.Tier, Limit: m.MaxInFlight, FleetMax: m.FleetMax(),
		Available: m.Available(), Health: m.Health().String(), Breaker: m.Breaker().String(), Operator: m.Operator().String(),
		Resting: m.Resting(), Trusted: m.Trusted(), InFlight: m.InFlight(), IdleConns: proxy.IdleConns(m.Upstream), Tunnels: proxy.TunnelsOf(m.Upstream).Open,
		LatencyMS: minute.MeanMS, Check: s.opts.Control.LastCheck(m.Key()), Slow: m.Slow(), Minute: minute,
		Since: m.Since(), OperatorSince: m.OperatorSince(),
		Zone: m.Zone(), Lifecycle: m.Lifecycle().String(), Metadata: m.Metadata(), staged: m.LifecycleSince(),
	}
	if weight, percent := s.opts.Control.Weight(m.Key()); weight > 0 {
		if u.Weight = weight; percent != 100 {
			u.AgentPercent = percent
		}
	}
	// Changes by an operator or a source are not the upstream's own.
	u.flips = m.Flips(later(now.Add(-flipsIn), later(u.OperatorSince, u.staged)))
	u.Probe = u.Check.Error
	u.state, u.stateStatus = situation.OfState(m.Upstream, u.Check.err)
	u.Situation, u.Why = u.state, u.verdict()
	if situation.Of(u.state).Level > situation.Silent {
		u.Headline = u.headline()
	}
	return u
}

// Share describes the weight: 5, or 50% of 5.
func (u *Upstream) Share() string {
	if u.AgentPercent > 0 {
		return fmt.Sprintf("%d%% of %d", u.AgentPercent, u.Weight)
	}
	return strconv.Itoa(u.Weight)
}

// later returns the later of two moments.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// verdict explains in words whether an upstream gets requests, and why.
func (u *Upstream) verdict() string {
	switch u.state {
	case situation.Healthy, situation.Warming:
		if u.Late {
			return fmt.Sprintf("available; slow: another upstream answered %d of %s first", u.Minute.Late, counted(u.Minute.Attempts, "attempt"))
		}
		return "available"
	case situation.Slow:
		return "available; slower than the others, so it gets fewer requests"
	case situation.Drained:
		return "drained by an operator"
	case situation.SwitchedOff:
		return "switched off by an operator"
	case situation.CheckIsWrong:
		return sentence("used, because it answers and no upstream passes its health check"+u.Check.by(), u.Check.err)
	case situation.FoundUnready:
		return "not ready, according to its source or agent"
	case situation.FoundEnding:
		return "terminating, according to its discovery source"
	case situation.Leaving, situation.BreakerOpen, situation.NotChecked, situation.Trial, situation.EarlyTrial:
		return lower(u.headline())
	}
	if u.Check.err == nil {
		return "down, and checked again at once: " + lower(u.headline())
	}
	return sentence("health check failing"+u.Check.by(), u.Check.err)
}

func (u *Upstream) headline() string {
	return situation.Of(u.state).With(situation.Facts{Upstream: u.Address, Status: u.stateStatus}).Headline
}

func sentence(s string, err error) string {
	if err == nil {
		return s
	}
	return s + ": " + brief(err)
}
