package admin

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/duration"
)

// Closure holds the operator's orders that keep requests from a pool's upstreams.
type Closure struct {
	Pause       *changes.Change // nil = none
	Maintenance *changes.Change // nil = none
}

// Span is a duration whose JSON form is text: "30s".
type Span time.Duration

func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText parses the syntax of [time.ParseDuration].
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 30s or 5m", text)
	}
	*s = Span(d)
	return nil
}

// Term is a [Span] of an order. An absent term means the default, which may be forever,
// so an explicit zero is refused.
type Term Span

func (t Term) MarshalText() ([]byte, error) { return Span(t).MarshalText() }

func (t *Term) UnmarshalText(text []byte) error {
	if err := (*Span)(t).UnmarshalText(text); err != nil {
		return err
	}
	if *t == 0 {
		return fmt.Errorf("%q is not a time: leave it out for the default", text)
	}
	return nil
}

// PauseTerms is the value of a change of kind [changes.Pause].
type PauseTerms struct {
	Max         Span  `json:"max"`          // longest wait of a request
	MaxRequests int   `json:"max_requests"` // concurrently waiting requests
	MaxBody     int64 `json:"max_body"`     // bytes of their bodies in memory
}

// PauseOrder is the body of POST /v1/pauses.
type PauseOrder struct {
	Pool        string `json:"pool"`
	Max         Term   `json:"max,omitempty" doc:"longest wait of a request; default 30s"`
	For         Term   `json:"for,omitempty" doc:"time after which the pause ends by itself; default is the value of max"`
	MaxRequests int    `json:"max_requests,omitempty" doc:"requests that wait at once; default 1000"`
	MaxBody     int64  `json:"max_body,omitempty" doc:"memory for the bodies of waiting requests, in bytes; default 64 MiB"`
	Why         string `json:"why,omitempty"`
}

// PauseState is the state of a pause.
type PauseState struct {
	ID       string    `json:"id,omitempty" doc:"id of the change"`
	By       string    `json:"by"`
	Why      string    `json:"why,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Until    time.Time `json:"until,omitzero" doc:"when the pause ends by itself"`
	Max      Span      `json:"max" doc:"longest wait of a request"`
	Waiting  int       `json:"waiting" doc:"requests that wait for the end of the pause"`
	InFlight int       `json:"in_flight" doc:"requests that upstreams still have, without tunnels"`
	Tunnels  int       `json:"tunnels" doc:"upgraded connections, such as those of WebSocket, which a pause leaves open"`
}

// MaintenanceTerms is the value of a change of kind [changes.Maintenance].
type MaintenanceTerms struct {
	Off         bool     `json:"off,omitempty"`  // overrides the configuration's maintenance
	Page        string   `json:"page,omitempty"` // hash of its content; empty = the error page
	ContentType string   `json:"content_type,omitempty"`
	RetryAfter  Span     `json:"retry_after,omitempty"`
	Clients     []string `json:"clients,omitempty"` // CIDR
	Passes      []Pass   `json:"passes,omitempty"`
}

// Pass is the credential that testers send. Only its hash is kept.
type Pass struct {
	Of     string `json:"of"` // PassHeader or PassCookie
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Places of a [Pass].
const (
	PassHeader = "header"
	PassCookie = "cookie"
)

// MaintenanceOrder is the body of POST /v1/maintenance.
type MaintenanceOrder struct {
	Pool        string   `json:"pool"`
	Off         bool     `json:"off,omitempty" doc:"ends the maintenance, even one that the configuration file sets"`
	Page        string   `json:"page,omitempty" doc:"the page itself, 256 KiB at most; default the error page"`
	ContentType string   `json:"content_type,omitempty" doc:"Content-Type of the page; default text/html; charset=utf-8"`
	RetryAfter  Term     `json:"retry_after,omitempty" doc:"value of Retry-After; default 5m"`
	For         Term     `json:"for,omitempty" doc:"time after which the maintenance ends by itself; default never"`
	Allow       []string `json:"allow,omitempty" doc:"testers: an address, a CIDR, NAME=VALUE of a header, or cookie:NAME=VALUE"`
	Why         string   `json:"why,omitempty"`
}

// MaintenanceState is the state of a maintenance.
type MaintenanceState struct {
	ID    string    `json:"id,omitempty" doc:"id of the change; empty for the maintenance of the configuration file"`
	By    string    `json:"by"`
	Why   string    `json:"why,omitempty"`
	At    time.Time `json:"at,omitzero"`
	Until time.Time `json:"until,omitzero" doc:"when the maintenance ends by itself"`
}

// Reopened is the answer to an order that ends a pause or a maintenance.
type Reopened struct {
	Pool  string `json:"pool"`
	Ended bool   `json:"ended" doc:"false if there was nothing to end"`
}

// MaxPage bounds the page of a maintenance, in bytes.
const MaxPage = 256 << 10

// maxPageBody bounds the order with a page, whose bytes may all be escaped in JSON.
const maxPageBody = 6*MaxPage + 16<<10

// PageName returns the name of a page: the hash of its content.
func PageName(page []byte) string {
	sum := sha256.Sum256(page)
	return hex.EncodeToString(sum[:])
}

const (
	defaultPause      = 30 * time.Second
	longestPause      = time.Hour
	defaultPauseQueue = 1000
	mostPauseQueue    = 100_000
	defaultPauseBody  = 64 << 20
	defaultRetryAfter = 5 * time.Minute
	longestRetryAfter = 7 * 24 * time.Hour
	mostAllowed       = 20
)

func (s *Server) closureEndpoints() []Endpoint {
	return []Endpoint{
		{Pattern: "POST /v1/pauses", Takes: PauseOrder{}, Answers: PauseState{}, Handler: s.pause, Refuses: []int{400, 404, 409}, Does: "Pauses a pool: new requests wait, requests in flight finish. A second request changes the terms of the pause."},
		{Pattern: "DELETE /v1/pauses/{pool}", Answers: Reopened{}, Handler: s.resume, Refuses: []int{404, 409}, Does: "Ends the pause of a pool."},
		{Pattern: "POST /v1/maintenance", Takes: MaintenanceOrder{}, Answers: MaintenanceState{}, Handler: s.maintain, Refuses: []int{400, 404, 409}, MaxBody: maxPageBody, Does: "Puts a pool into maintenance, or ends the maintenance."},
		{Pattern: "DELETE /v1/maintenance/{pool}", Answers: Reopened{}, Handler: s.endMaintenance, Refuses: []int{404, 409}, Does: "Undoes an operator's change to the maintenance of a pool."},
	}
}

// Decode decodes the body of a request, and reports whether it is valid. If not, it
// refuses the request. A valid body has no unknown fields, and is within the bound of its
// endpoint.
func Decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is too large: the limit is %d bytes", large.Limit))
		return false
	}
	if err != nil {
		refuse(w, 400, badBody(err))
		return false
	}
	return true
}

// badBody describes a body that is not the expected JSON.
func badBody(err error) string {
	switch {
	case errors.Is(err, io.EOF):
		return "the body is empty: expected a JSON object"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the body is not valid: the JSON is incomplete"
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
		return fmt.Sprintf("the body is not valid: %s cannot be of type %s", wrong.Field, wrong.Value)
	}
	return "the body is not valid: " + strings.TrimPrefix(err.Error(), "json: ")
}

// between reports whether a number is within bounds. If not, it refuses the order.
func between[T Span | int | int64](w http.ResponseWriter, name string, n, least, most T) bool {
	if n >= least && n <= most {
		return true
	}
	refuse(w, 400, fmt.Sprintf("%s %v: it must be from %v to %v", name, shown(n), shown(least), shown(most)))
	return false
}

func shown(n any) any {
	if d, ok := n.(Span); ok {
		return duration.Text(time.Duration(d))
	}
	return n
}

func (s *Server) pause(w http.ResponseWriter, r *http.Request) {
	o := PauseOrder{Max: Term(defaultPause), MaxRequests: defaultPauseQueue, MaxBody: defaultPauseBody}
	if !Decode(w, r, &o) {
		return
	}
	if o.For == 0 {
		o.For = o.Max
	}
	if !between(w, "max", Span(o.Max), Span(time.Millisecond), Span(longestPause)) || !between(w, "for", Span(o.For), Span(time.Millisecond), Span(24*time.Hour)) ||
		!between(w, "max_requests", o.MaxRequests, 1, mostPauseQueue) || !between(w, "max_body", o.MaxBody, 0, 64<<30) {
		return
	}
	value, _ := json.Marshal(PauseTerms{Span(o.Max), o.MaxRequests, o.MaxBody})
	now := time.Now()
	_, err := s.opts.Control.Close(changes.Change{
		Subject: changes.Subject{Kind: changes.Pause, Pool: o.Pool}, Value: value, By: authorOf(r), Why: o.Why, At: now, Until: now.Add(time.Duration(o.For)),
	}, nil)
	if s.refused(w, o.Pool, err) {
		return
	}
	for _, p := range s.pools() {
		if p.Name == o.Pool && p.Paused != nil {
			reply(w, 200, p.Paused)
			return
		}
	}
	refuse(w, 409, "the pause has already ended")
}

// refused answers an order that failed with err. If err is nil it returns false, and
// answers nothing.
func (s *Server) refused(w http.ResponseWriter, pool string, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, changes.ErrInvalid):
		refuse(w, 400, err.Error())
	case !s.hasPool(pool):
		refuse(w, 404, s.noPool(pool))
	default:
		refuse(w, 409, err.Error())
	}
	return true
}

func (s *Server) hasPool(name string) bool {
	for _, p := range s.opts.Control.Pools() {
		if p.Name() == name {
			return true
		}
	}
	return false
}

func (s *Server) resume(w http.ResponseWriter, r *http.Request) {
	s.reopen(w, r, changes.Pause)
}

func (s *Server) endMaintenance(w http.ResponseWriter, r *http.Request) {
	s.reopen(w, r, changes.Maintenance)
}

func (s *Server) reopen(w http.ResponseWriter, r *http.Request, kind changes.Kind) {
	pool := r.PathValue("pool")
	ended, err := s.opts.Control.Reopen(changes.Subject{Kind: kind, Pool: pool}, authorOf(r), r.URL.Query().Get("why"))
	if !s.refused(w, pool, err) {
		reply(w, 200, Reopened{pool, ended})
	}
}

func (s *Server) maintain(w http.ResponseWriter, r *http.Request) {
	var o MaintenanceOrder
	if !Decode(w, r, &o) {
		return
	}
	if err := o.consistent(); err != nil {
		refuse(w, 400, err.Error())
		return
	}
	o.RetryAfter = cmp.Or(o.RetryAfter, Term(defaultRetryAfter))
	if !between(w, "retry_after", Span(o.RetryAfter), Span(time.Second), Span(longestRetryAfter)) || !between(w, "for", Span(o.For), 0, Span(366*24*time.Hour)) ||
		!between(w, "the length of the page", len(o.Page), 0, MaxPage) || !between(w, "the number of allow", len(o.Allow), 0, mostAllowed) {
		return
	}
	terms := MaintenanceTerms{Off: true}
	if !o.Off {
		terms = MaintenanceTerms{ContentType: o.ContentType, RetryAfter: Span(o.RetryAfter)}
		for _, text := range o.Allow {
			if err := terms.allow(text); err != nil {
				refuse(w, 400, err.Error())
				return
			}
		}
	}
	var page []byte
	if o.Page != "" {
		page = []byte(o.Page)
		terms.Page = PageName(page)
	}
	value, _ := json.Marshal(terms)
	c := changes.Change{Subject: changes.Subject{Kind: changes.Maintenance, Pool: o.Pool}, Value: value, By: authorOf(r), Why: o.Why, At: time.Now()}
	if o.For > 0 {
		c.Until = c.At.Add(time.Duration(o.For))
	}
	c, err := s.opts.Control.Close(c, page)
	if !s.refused(w, o.Pool, err) {
		reply(w, 200, MaintenanceState{ID: c.ID, By: c.By, Why: c.Why, At: c.At, Until: c.Until})
	}
}

// consistent returns the contradiction between the fields of the order.
func (o *MaintenanceOrder) consistent() error {
	for _, f := range []struct {
		name string
		set  bool
	}{{"page", o.Page != ""}, {"content_type", o.ContentType != ""}, {"retry_after", o.RetryAfter != 0}, {"allow", len(o.Allow) > 0}} {
		if o.Off && f.set {
			return fmt.Errorf("off ends the maintenance, so it takes no %s", f.name)
		}
	}
	if o.ContentType != "" && o.Page == "" {
		return fmt.Errorf("content_type %q needs page", o.ContentType)
	}
	return nil
}

// allow adds testers.
func (t *MaintenanceTerms) allow(text string) error {
	if addr, err := netip.ParseAddr(text); err == nil {
		t.Clients = append(t.Clients, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()).String())
		return nil
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		t.Clients = append(t.Clients, prefix.Masked().String())
		return nil
	}
	name, value, ok := strings.Cut(text, "=")
	of := PassHeader
	if cookie, is := strings.CutPrefix(name, "cookie:"); is {
		of, name = PassCookie, cookie
	} else {
		name = strings.TrimPrefix(name, "header:")
	}
	if !ok || value == "" || name == "" || strings.ContainsAny(name, " \t\r\n:;,/()<>@\"") {
		return fmt.Errorf("allow %q: expected an address, a CIDR, NAME=VALUE of a header, or cookie:NAME=VALUE", name)
	}
	t.Passes = append(t.Passes, Pass{of, name, PageName([]byte(value))})
	return nil
}

// closed fills in the closures that keep requests from the upstreams.
func (p *Pool) closed(c Closure, standby int) {
	if ch := c.Pause; ch != nil {
		var terms PauseTerms
		json.Unmarshal(ch.Value, &terms)
		tunnels := 0
		for i := range p.Upstreams {
			tunnels += p.Upstreams[i].Tunnels
		}
		p.Paused = &PauseState{
			ID: ch.ID, By: ch.By, Why: ch.Why, At: ch.At, Until: ch.Until, Max: terms.Max, Waiting: standby,
			InFlight: max(p.InFlight-tunnels, 0), Tunnels: tunnels,
		}
	}
	if ch := c.Maintenance; ch != nil {
		p.Maintenance = &MaintenanceState{ID: ch.ID, By: ch.By, Why: ch.Why, At: ch.At, Until: ch.Until}
	}
}
