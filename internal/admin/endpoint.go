package admin

import (
	"net/http"
	"strings"
)

// Endpoint is a row of the API's table. The server routes by this table, and [OpenAPI]
// describes it.
type Endpoint struct {
	Pattern string           // of [http.ServeMux], with its method: "GET /v1/pools/{pool}"
	Handler http.HandlerFunc // nil only for the description
	Does    string           // one sentence
	Query   []Param          // parameters after the question mark
	Takes   any              // a value of the type of the JSON body; nil = no body
	Answers any              // a value of the type of the JSON answer; nil = text of the type Media
	Media   string           // the answer's media type; empty = application/json with Answers, text/plain without
	Status  int              // of success; 0 = 200
	Refuses []int            // statuses of refusals, beside those common to all endpoints
	MaxBody int64            // bytes of the body; 0 = 64 KiB
	Open    bool             // needs no token
}

// Param is a parameter of a query.
type Param struct {
	Name string
	Does string
	Kind string // a type of JSON Schema; empty = string
}

// split returns the endpoint's method and its path.
func (e *Endpoint) split() (method, path string) {
	method, path, _ = strings.Cut(e.Pattern, " ")
	return method, path
}

// binary is the media type of profiles and traces for developers' tools.
const binary = "application/octet-stream"

// bounded serves a request, and bounds its body.
func (e *Endpoint) bounded(w http.ResponseWriter, r *http.Request) {
	most := e.MaxBody
	if most == 0 {
		most = maxBody
	}
	r.Body = http.MaxBytesReader(w, r.Body, most)
	e.Handler(w, r)
}

// Endpoints without a token.
const (
	livePattern  = "GET /live"
	readyPattern = "GET /ready"
	indexPattern = "GET /{$}"
	pagePattern  = "GET /page/{file}"
)

// endpoints is the table of the whole API.
func (s *Server) endpoints() []Endpoint {
	var all []Endpoint
	all = append(all, s.probeEndpoints()...)
	all = append(all, s.lookEndpoints()...)
	all = append(all, s.orderEndpoints()...)
	all = append(all, s.splitEndpoints()...)
	all = append(all, s.closureEndpoints()...)
	all = append(all, s.faultEndpoints()...)
	all = append(all, s.cacheEndpoints()...)
	all = append(all, s.configEndpoints()...)
	all = append(all, s.debugEndpoints()...)
	return append(all, s.opts.More...)
}

// probeEndpoints serve load balancers, supervisors and browsers.
func (s *Server) probeEndpoints() []Endpoint {
	return []Endpoint{
		{Pattern: livePattern, Open: true, Handler: s.live, Does: "Reports that the process runs."},
		{Pattern: readyPattern, Open: true, Handler: s.ready, Refuses: []int{503}, Does: "Reports whether this instance accepts requests. While it drains, it accepts none."},
		{Pattern: indexPattern, Open: true, Handler: s.index, Media: "text/html", Does: "The dashboard."},
		{Pattern: pagePattern, Open: true, Handler: s.pageFile, Media: "*/*", Refuses: []int{404}, Does: "A file of the dashboard."},
	}
}

// lookEndpoints change nothing.
func (s *Server) lookEndpoints() []Endpoint {
	return []Endpoint{
		{Pattern: "GET /v1/status", Answers: Status{}, Handler: s.wholeStatus, Does: "The whole status: what is wrong, configuration, pools, upstreams, recent failures."},
		{Pattern: "GET /v1/pools", Answers: []Pool{}, Handler: s.allPools, Does: "The pools and their upstreams."},
		{Pattern: "GET /v1/pools/{pool}", Answers: Pool{}, Handler: s.onePool, Refuses: []int{404}, Does: "One pool and its upstreams."},
		{Pattern: "GET /v1/overview", Answers: Overview{}, Handler: s.wholeOverview, Does: "A line for each pool, the problems in groups, and the latest events. Frequent requests are cheap."},
		{Pattern: "GET /v1/overview/{pool}", Answers: Detail{}, Handler: s.onePoolDetail, Refuses: []int{400, 404},
			Query: []Param{{"from", "Unix time in seconds: the answer has only slots that begin at or after it.", "integer"}}, Does: "A pool with its last hour, its upstreams minute by minute, and its events."},
		{Pattern: "GET /v1/timeline", Answers: []Event{}, Handler: s.timeline, Does: "Events of pools, upstreams and goodgate itself, latest first."},
		{Pattern: "GET /v1/fleet", Answers: Fleet{}, Handler: s.wholeFleet, Refuses: []int{404}, Does: "The instances that serve the same traffic, and how they differ from this one."},
		{Pattern: "GET /v1/wiring", Answers: Wiring{}, Handler: s.wiring, Does: "Listeners with the expiry of their certificates, and routes."},
		{Pattern: "GET /v1/config", Media: "application/yaml", Handler: s.config, Does: "The configuration in use, with defaults and without secrets."},
		{Pattern: "GET /v1/requests", Answers: []*Request{}, Handler: s.requests, Does: "The latest requests in which an upstream failed, whether or not the client saw it."},
		{Pattern: "GET /v1/requests/{id}", Answers: Request{}, Handler: s.request, Refuses: []int{404}, Does: "One request in which something failed, with an explanation in plain words."},
		{Pattern: "GET /v1/events", Media: "text/event-stream", Handler: s.events, Refuses: []int{503}, Does: "The status as server-sent events, one per second. The data of each event is the answer of /v1/status."},
		{Pattern: "GET /v1/openapi.json", Answers: map[string]any{}, Handler: s.describe, Does: "This description."},
	}
}

// orderEndpoints change something.
func (s *Server) orderEndpoints() []Endpoint {
	return []Endpoint{
		{Pattern: "POST /v1/upstreams", Takes: Order{}, Answers: Changed{}, Handler: s.change, Refuses: []int{400, 404, 409}, Does: "Changes the state or the weight of an upstream."},
		{Pattern: "GET /v1/changes", Answers: InForce{}, Handler: s.allChanges, Does: "The changes by operators, that is, how the state differs from the configuration file."},
		{Pattern: "POST /v1/changes", Takes: Wish{}, Answers: Ordered{}, Handler: s.wish, Refuses: []int{400, 404, 409}, Does: "Adds or removes an upstream of a pool, or changes its state or weight."},
		{Pattern: "DELETE /v1/changes/{id}", Answers: Ordered{}, Handler: s.takeBack, Refuses: []int{404, 409}, Query: []Param{{"why", "The reason, for the log.", ""}}, Does: "Undoes a change, so that the configuration file applies again."},
		{Pattern: "POST /v1/reload", Answers: Reloaded{}, Handler: s.reload, Refuses: []int{422}, Does: "Reloads the configuration file."},
		{Pattern: "POST /v1/drain", Answers: Draining{}, Status: http.StatusAccepted, Handler: s.drain, Does: "Drains and ends the process, like SIGTERM."},
	}
}

// debugEndpoints serve developers.
func (s *Server) debugEndpoints() []Endpoint {
	return append(profileEndpoints(), Endpoint{
		Pattern: "GET /debug/flight", Media: binary, Handler: s.flight, Refuses: []int{404},
		Does: "The latest seconds of execution, for go tool trace. Needs admin.flight.",
	})
}
