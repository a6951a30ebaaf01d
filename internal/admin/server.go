package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/trace"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/printable"
	"github.com/goodgate/goodgate/proxy"
)

// Control is the goodgate that the API serves. It is safe for concurrent use.
type Control interface {
	Pools() []*proxy.Pool
	ConfigState() ConfigState
	Config() []byte // effective, as YAML, without secrets
	Draining() bool
	LastCheck(balancer.Key) Check // the zero value before the first
	// Weight returns an upstream's weight without its agent's percentage, and this
	// percentage; both are 0 if the pool has no agents.
	Weight(balancer.Key) (weight, percent int)
	// Certificates returns the expiry of each of the listeners' certificates, by file;
	// zero or 1970 = it could not be obtained yet.
	Certificates() map[string]time.Time
	// OutOfFiles returns when goodgate last lacked a file descriptor, zero = never, and
	// the limit on descriptors, 0 = unknown.
	OutOfFiles() (last time.Time, limit uint64)
	// Crowds returns the listeners where clients wait to be accepted, or have waited.
	Crowds() []Crowd
	// SourceError returns the error of looking up a pool's upstreams, empty if there was
	// none, and the reason that requests fail with; None = another one.
	SourceError(pool string) (string, reason.Reason)
	Sources(pool string) []Source // the sources that look something up
	Found(pool string) bool       // at least one lookup has succeeded

	// Close pauses a pool or puts it into maintenance, with a page; nil = none.
	Close(c changes.Change, page []byte) (changes.Change, error)
	// Reopen ends a closure, and reports whether there was one.
	Reopen(s changes.Subject, by, why string) (bool, error)
	Closure(pool string) Closure
	// ConfigHistory lists the configurations that were in use, the latest first. The
	// methods below take the number of one, 0 = the one in use, and return no secrets.
	ConfigHistory() []ConfigVersion
	ConfigVersion(n int) ([]byte, error)
	ConfigDiff(from, to int) ([]string, error)
	Rollback(n int, by string) (changes []string, err error)

	Reload(cause string) (changes []string, err error)
	Drain(cause string)
	// Purged records that an operator has dropped kept responses.
	Purged(p Purge, done Purged, by, why string)

	// Order puts a change about upstreams in force, and returns after it is applied. Its
	// ID is empty if the configuration says the same. An error wraps one of package
	// changes, or is an [Unfit].
	Order(changes.Change) (changes.Change, error)
}

// Crowd is a listener with as many clients as it may have, so that others wait to be
// accepted.
type Crowd struct {
	Listener    string // empty = all listeners without their own max_connections
	Clients     int    // limit
	Waits       bool   // now
	Since, Last time.Time
}

// Options configure a [Server].
type Options struct {
	Version  string
	Control  Control
	Requests *Ring
	Tally    *Tally
	Journal  *Journal                 // nil = an empty one
	Wiring   func() Wiring            // how requests arrive; nil = unknown
	Fleet    func() *Fleet            // the fleet; nil = none
	Mirrors  func() []Mirror          // nil = none
	Splits   Splits                   // nil = none
	Faults   Faults                   // nil = none can be injected
	Changes  *changes.Book            // the operators' changes; nil = an empty one
	Deploy   func(pool string) string // the stage of a deploy to the pool, empty = none; nil = unknown
	// Tokens are the accepted tokens; each request must send one in "Authorization:
	// Bearer". Empty = no token is needed, for listeners that only this machine reaches.
	Tokens []Token
	// Hosts are names for the API besides addresses and localhost. An attacker may have
	// pointed any other name here.
	Hosts []string
	// Local means that the listener is a Unix socket, which no browser reaches.
	Local bool
	// Flight records recent execution for /debug/flight; nil = off.
	Flight *trace.FlightRecorder
	More   []Endpoint // endpoints of other packages, behind the same guard
}

// Server is the operator's API. Use New.
type Server struct {
	opts    Options
	mux     *http.ServeMux
	anybody map[string]bool // patterns of endpoints without a token
	seats   chan struct{}
	closing chan struct{}
	handler http.Handler
}

// liveText is the answer to livePattern.
const liveText = "live\n"

// New returns the API. Close ends its streams. A name in a path may be a slash, which
// wildcards of [http.ServeMux] do not match. So New adds a pattern with %2F in its place.
func New(o Options) *Server {
	if o.Journal == nil {
		o.Journal = NewJournal(o.Version)
	}
	if o.Changes == nil {
		o.Changes = changes.Open(changes.Options{})
	}
	s := &Server{opts: o, mux: http.NewServeMux(), anybody: map[string]bool{}, seats: make(chan struct{}, maxSubscribers), closing: make(chan struct{})}
	for _, e := range s.endpoints() {
		s.mux.HandleFunc(e.Pattern, e.bounded)
		s.anybody[e.Pattern] = e.Open
		if name := placeholder.FindString(e.Pattern); name != "" && !e.Open {
			s.mux.HandleFunc(strings.Replace(e.Pattern, name, "%2F", 1), func(w http.ResponseWriter, r *http.Request) {
				r.SetPathValue(strings.Trim(name, "{}"), "/")
				e.bounded(w, r)
			})
		}
	}
	s.handler = s.guard(s.mux)
	return s
}

// Close ends the streams of events, for which a shutdown would otherwise wait. It must be
// called once.
func (s *Server) Close() { close(s.closing) }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Server) live(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(liveText)) }

func (s *Server) wholeStatus(w http.ResponseWriter, _ *http.Request) { reply(w, 200, s.status()) }

func (s *Server) allPools(w http.ResponseWriter, _ *http.Request) { reply(w, 200, s.pools()) }

func (s *Server) wholeOverview(w http.ResponseWriter, _ *http.Request) { compact(w, s.overview()) }

func (s *Server) requests(w http.ResponseWriter, _ *http.Request) {
	reply(w, 200, s.opts.Requests.Latest(ringFailures))
}

// reply writes v as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(printable.Writer{To: w, Form: printable.JSON})
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // nothing takes it for HTML: see guard
	e.Encode(v)
}

// problem is the body of every error answer.
type problem struct {
	Error string `json:"error"`
	Code  string `json:"code,omitempty"` // for programs, for example LastUpstream
	Of    int    `json:"of,omitempty"`   // with LastUpstream: upstreams of the pool
}

func refuse(w http.ResponseWriter, status int, text string) { reply(w, status, problem{Error: text}) }

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.opts.Control.Draining() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	w.Write([]byte("ready\n"))
}

func (s *Server) onePool(w http.ResponseWriter, r *http.Request) {
	for _, p := range s.opts.Control.Pools() {
		if p.Name() == r.PathValue("pool") {
			reply(w, 200, s.pool(p))
			return
		}
	}
	refuse(w, 404, s.noPool(r.PathValue("pool")))
}

func (s *Server) config(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(s.opts.Control.Config())
}

func (s *Server) request(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if q := s.opts.Requests.Find(id); q != nil {
		reply(w, 200, q)
		return
	}
	refuse(w, 404, fmt.Sprintf("there is no record of request %q: goodgate keeps only recent requests in which something failed; goodgate status lists the latest", id))
}

func (s *Server) flight(w http.ResponseWriter, _ *http.Request) {
	if s.opts.Flight == nil {
		refuse(w, 404, "nothing is recorded: admin.flight is off")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="goodgate.trace"`)
	s.opts.Flight.WriteTo(w)
}

const (
	maxSubscribers = 16
	eventEvery     = time.Second
	writeBound     = 2 * time.Minute // for the whole of an answer
	eventBound     = 5 * time.Second // for a subscriber to take an event
)

// events sends the status at once, and then every second.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	select {
	case s.seats <- struct{}{}:
		defer func() { <-s.seats }()
	default:
		refuse(w, 503, "too many clients listen already")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	ticker := time.NewTicker(eventEvery)
	defer ticker.Stop()
	control := http.NewResponseController(w)
	for {
		data, err := json.Marshal(s.status())
		if err != nil {
			return
		}
		control.SetWriteDeadline(time.Now().Add(eventBound))
		if _, err := w.Write([]byte("event: status\ndata: " + string(printable.JSON(data)) + "\n\n")); err != nil {
			return
		}
		if control.Flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-s.closing:
			return
		}
	}
}
