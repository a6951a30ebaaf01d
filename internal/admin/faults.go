package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/duration"
	"github.com/goodgate/goodgate/internal/similar"
	"github.com/goodgate/goodgate/internal/situation"
)

// Faults is the part of goodgate that injects faults. It is safe for concurrent
// use.
type Faults interface {
	// Faults returns the faults that requests can meet: those of the configuration, then
	// those of operators, oldest first.
	Faults() []Fault
	// Inject puts a change of kind [changes.Fault] in force, and returns after it is
	// applied.
	Inject(changes.Change) (changes.Change, error)
	// Heal ends faults of operators. An empty route or kind stands for all.
	Heal(route, kind, by, why string) ([]changes.Change, error)
}

// FaultTerms is the value of a change of kind [changes.Fault]. It has exactly one of
// Delay, Abort, Cut and Throttle.
type FaultTerms struct {
	Share    float64           `json:"share" doc:"share of the requests, from 0 to 1"`
	Headers  map[string]string `json:"headers,omitempty" doc:"headers that a request must have; an empty value or * stands for any value"`
	Delay    Span              `json:"delay,omitempty" doc:"wait before the request goes to an upstream, from 1ms to 1m"`
	Abort    int               `json:"abort,omitempty" doc:"status of the answer, from 400 to 599; no upstream gets the request"`
	Cut      int64             `json:"cut,omitempty" doc:"bytes of the body after which the connection breaks, 1 GiB at most"`
	Throttle int64             `json:"throttle,omitempty" doc:"bytes of the body per second, 1 GiB at most"`
}

// FaultOrder is the body of POST /v1/faults.
type FaultOrder struct {
	Route string `json:"route"`
	FaultTerms
	For Term   `json:"for,omitempty" doc:"time after which the fault ends by itself; default 10m, at most 24h"`
	Why string `json:"why,omitempty"`
}

// Fault is a fault that requests of a route can meet.
type Fault struct {
	ID    string `json:"id,omitempty" doc:"id of the change; empty for a fault of the configuration file"`
	Route string `json:"route"`
	Kind  string `json:"kind" doc:"delay, abort, cut or throttle"`
	FaultTerms
	By    string    `json:"by"`
	Why   string    `json:"why,omitempty"`
	At    time.Time `json:"at,omitzero"`
	Until time.Time `json:"until,omitzero" doc:"when the fault ends by itself"`
}

// Healed is the answer to DELETE /v1/faults.
type Healed struct {
	Ended []Fault `json:"ended"`
	Left  []Fault `json:"left" doc:"faults that requests can still meet; to end those of the configuration file, change it and reload"`
}

// Bounds of faults.
const (
	defaultFault  = 10 * time.Minute
	longestFault  = 24 * time.Hour
	shortestFault = time.Second
	longestDelay  = time.Minute
	mostBytes     = 1 << 30
	mostHeaders   = 20
)

func (s *Server) faultEndpoints() []Endpoint {
	why := Param{"why", "The reason, for the log.", ""}
	kind := Param{"kind", "Only faults of this kind: delay, abort, cut or throttle.", ""}
	return []Endpoint{
		{Pattern: "GET /v1/faults", Answers: []Fault{}, Handler: s.allFaults, Does: "Injected faults that requests can meet, from the configuration and from operators."},
		{Pattern: "GET /v1/faults/{route}", Answers: []Fault{}, Handler: s.faultsOfRoute, Refuses: []int{404}, Does: "Injected faults that requests of a route can meet."},
		{Pattern: "POST /v1/faults", Takes: FaultOrder{}, Answers: Fault{}, Handler: s.injectFault, Refuses: []int{400, 404, 409}, Does: "Injects a fault into a route for a limited time. It replaces the route's fault of the same kind. A restart ends it."},
		{Pattern: "DELETE /v1/faults", Answers: Healed{}, Handler: s.healFaults, Refuses: []int{400, 409}, Query: []Param{kind, why}, Does: "Ends the faults of operators on all routes."},
		{Pattern: "DELETE /v1/faults/{route}", Answers: Healed{}, Handler: s.healFaults, Refuses: []int{400, 404, 409}, Query: []Param{kind, why}, Does: "Ends the faults of operators on a route."},
	}
}

func (s *Server) faults() []Fault {
	if s.opts.Faults == nil {
		return nil
	}
	return s.opts.Faults.Faults()
}

func (s *Server) allFaults(w http.ResponseWriter, _ *http.Request) {
	reply(w, 200, append([]Fault{}, s.faults()...))
}

func (s *Server) faultsOfRoute(w http.ResponseWriter, r *http.Request) {
	route := r.PathValue("route")
	if !slices.Contains(s.routes(), route) {
		refuse(w, 404, s.noRoute(route))
		return
	}
	of := []Fault{}
	for _, f := range s.faults() {
		if f.Route == route {
			of = append(of, f)
		}
	}
	reply(w, 200, of)
}

func (s *Server) injectFault(w http.ResponseWriter, r *http.Request) {
	o := FaultOrder{FaultTerms: FaultTerms{Share: 1}, For: Term(defaultFault)}
	if !Decode(w, r, &o) || !between(w, "for", Span(o.For), Span(shortestFault), Span(longestFault)) {
		return
	}
	if err := o.check(); err != nil {
		refuse(w, 400, err.Error())
		return
	}
	if !s.hasRoute(o.Route) {
		refuse(w, 404, s.noRoute(o.Route))
		return
	}
	value, _ := json.Marshal(o.FaultTerms) // strings and numbers cannot fail
	now := time.Now()
	c := signed(r, changes.Change{Subject: changes.Subject{Kind: changes.Fault, Route: o.Route, Fault: o.Kind()}, Value: value, At: now, Until: now.Add(time.Duration(o.For))}, o.Why)
	c, err := s.opts.Faults.Inject(c)
	if err != nil {
		refused(w, err)
		return
	}
	reply(w, 200, FaultOf(c))
}

func (s *Server) healFaults(w http.ResponseWriter, r *http.Request) {
	route, kind := r.PathValue("route"), r.URL.Query().Get("kind")
	switch {
	case kind != "" && !slices.Contains(faultKinds(), kind):
		refuse(w, 400, fmt.Sprintf("kind %q: it must be one of %s", kind, listed(faultKinds())))
		return
	case route != "" && !s.hasRoute(route):
		refuse(w, 404, s.noRoute(route))
		return
	case s.opts.Faults == nil:
		reply(w, 200, Healed{[]Fault{}, []Fault{}})
		return
	}
	ended, err := s.opts.Faults.Heal(route, kind, authorOf(r), r.URL.Query().Get("why"))
	if err != nil {
		refused(w, err)
		return
	}
	done := Healed{Ended: []Fault{}, Left: []Fault{}}
	for _, c := range ended {
		done.Ended = append(done.Ended, FaultOf(c))
	}
	for _, f := range s.faults() {
		if (route == "" || f.Route == route) && (kind == "" || f.Kind == kind) {
			done.Left = append(done.Left, f)
		}
	}
	reply(w, 200, done)
}

// FaultOf returns the fault that a change orders.
func FaultOf(c changes.Change) Fault {
	f := Fault{ID: c.ID, Route: c.Route, Kind: c.Fault, By: c.By, Why: c.Why, At: c.At, Until: c.Until}
	json.Unmarshal(c.Value, &f.FaultTerms) // a damaged one has no effect, and is shown without
	return f
}

func faultKinds() []string { return []string{"delay", "abort", "cut", "throttle"} }

// Kind returns the kind of the fault; empty unless exactly one is set.
func (t *FaultTerms) Kind() (kind string) {
	for i, set := range []bool{t.Delay != 0, t.Abort != 0, t.Cut != 0, t.Throttle != 0} {
		switch {
		case set && kind != "":
			return ""
		case set:
			kind = faultKinds()[i]
		}
	}
	return kind
}

// check returns the mistake in the terms of an order.
func (t *FaultTerms) check() error {
	switch {
	case t.Kind() == "":
		return errors.New("a fault has exactly one of delay, abort, cut and throttle")
	case !(t.Share > 0 && t.Share <= 1):
		return fmt.Errorf("share %v (%v %%): it must be above 0 and at most 1 (100 %%)", t.Share, 100*t.Share)
	case t.Delay != 0 && (t.Delay < Span(time.Millisecond) || t.Delay > Span(longestDelay)):
		return fmt.Errorf("delay %v: it must be from 1ms to %s", duration.Text(time.Duration(t.Delay)), duration.Text(longestDelay))
	case t.Abort != 0 && (t.Abort < 400 || t.Abort > 599):
		return fmt.Errorf("abort %d: it must be a status from 400 to 599", t.Abort)
	case t.Cut < 0 || t.Cut > mostBytes:
		return fmt.Errorf("cut %d: it must be from 1 to %d bytes", t.Cut, mostBytes)
	case t.Throttle < 0 || t.Throttle > mostBytes:
		return fmt.Errorf("throttle %d: it must be from 1 to %d bytes a second", t.Throttle, mostBytes)
	case len(t.Headers) > mostHeaders:
		return fmt.Errorf("%d headers: at most %d", len(t.Headers), mostHeaders)
	}
	return t.checkHeaders()
}

// checkHeaders gives the names their canonical form. It refuses headers with credentials,
// because the status, the log and the list of changes show the values.
func (t *FaultTerms) checkHeaders() error {
	named := make(map[string]string, len(t.Headers))
	for name, value := range t.Headers {
		name = http.CanonicalHeaderKey(name)
		switch {
		case name == "" || strings.ContainsAny(name, " \t\r\n:;,/()<>@\"\\[]?={}") || strings.ContainsFunc(name, func(r rune) bool { return r < '!' || r > '~' }):
			return fmt.Errorf("headers: %q is not a header name", name)
		case slices.Contains([]string{"Authorization", "Proxy-Authorization", "Cookie"}, name) && value != "" && value != "*":
			return fmt.Errorf("headers: goodgate shows the values, so %s may only have the value *", name)
		}
		if _, twice := named[name]; twice {
			return fmt.Errorf("headers: %s is listed twice", name)
		}
		named[name] = value
	}
	t.Headers = named
	return nil
}

// Says describes the fault in words, for example "delay 300ms for 5 % of the requests".
func (t *FaultTerms) Says() string {
	what := t.Kind()
	switch what {
	case "delay":
		what += " " + time.Duration(t.Delay).String()
	case "abort":
		what = fmt.Sprintf("abort with %d", t.Abort)
	case "cut":
		what = fmt.Sprintf("cut after %d bytes", t.Cut)
	case "throttle":
		what = fmt.Sprintf("throttle to %d bytes a second", t.Throttle)
	}
	of := "all requests"
	if t.Share < 1 {
		of = fmt.Sprintf("%.3g %% of the requests", t.Share*100)
	}
	var names []string
	for name := range t.Headers {
		names = append(names, name)
	}
	if slices.Sort(names); len(names) > 0 {
		of += " with " + strings.Join(names, " and ")
	}
	return what + " for " + of
}

func (s *Server) routes() (names []string) {
	if s.opts.Wiring == nil {
		return nil
	}
	for _, r := range s.opts.Wiring().Routes {
		names = append(names, r.Name)
	}
	return names
}

func (s *Server) hasRoute(name string) bool {
	return s.opts.Faults != nil && slices.Contains(s.routes(), name)
}

func (s *Server) noRoute(name string) string {
	routes := s.routes()
	if len(routes) == 0 {
		return fmt.Sprintf("there is no route %q: none is configured", name)
	}
	return fmt.Sprintf("there is no route %q%s %s", name, meant(similar.Nearest(name, routes)), existing("route", routes))
}

// faultTrouble reports the injected faults that requests can meet.
func faultTrouble(out *Status) (t Trouble, ok bool) {
	routes := slices.Clone(out.Config.Faults)
	var injected []string
	first := out.Config.Loaded
	for _, f := range out.Faults {
		if f.ID == "" {
			continue
		}
		if len(injected) == 0 && len(routes) == 0 {
			first = f.At
		}
		injected = append(injected, fmt.Sprintf("%s on %s until %s, by %s", f.Says(), f.Route, clock(f.Until, out.Now), f.By))
		if !slices.Contains(routes, f.Route) {
			routes = append(routes, f.Route)
		}
	}
	if len(routes) == 0 {
		return t, false
	}
	var evidence []string
	if len(injected) > 0 {
		evidence = []string{"Injected by operators: " + listed(injected) + "."}
	}
	t = tell(situation.Faults, situation.Facts{Name: listed(routes)}, false, evidence...)
	t.First = first
	return t, true
}
