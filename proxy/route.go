package proxy

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// Route says which requests it takes and what becomes of them: they go to
// Pool, or are answered by Redirect or Respond.
type Route struct {
	Name     string
	Match    Match
	Pool     *Pool
	Fallback *Fallback // for what Pool cannot answer; nil = nobody
	Redirect *Redirect
	Respond  *Respond

	RequestHeaders  HeaderEdits
	ResponseHeaders HeaderEdits
	StripPrefix     string        // taken off the path before it goes upstream
	AddPrefix       string        // put before the path, after StripPrefix
	Host            string        // sent upstream: empty = the client's, HostUpstream = the upstream's, else this
	Timeout         time.Duration // whole request; 0 = the pool's
	// RetrySafe is the application's promise that every request on this route
	// may be executed twice, whatever its method.
	RetrySafe bool
	// IdempotencyKey is its promise that it executes requests with the same
	// Idempotency-Key once (draft-ietf-httpapi-idempotency-key-header): one that
	// has the header may be sent again.
	IdempotencyKey bool
	Limits         *Limits  // which requests are let in; nil = all
	Priority       Priority // whose turn comes first when requests queue before the pool

	edited fieldTable // what RequestHeaders is about
	mark   string     // of this route in Goodgate-Passed
}

// HostUpstream as [Route.Host] sends each upstream its own name.
const HostUpstream = "upstream"

// Match says which requests a route takes. Each field that is set must match;
// the zero value takes all.
type Match struct {
	Hosts   []string          // exact, or "*.example.com" for any name below it; case does not matter
	Path    string            // exact, or a prefix when it ends in "*"
	Methods []string          // upper case
	Headers map[string]string // value, or "*" for any
	Scheme  string            // "http" or "https": how the client's connection came
}

func (m *Match) matches(r *Request, path string) bool {
	return m.matchesHost(r.Host) && m.matchesPath(path) &&
		(m.Scheme == "" || (m.Scheme == "https") == (r.TLS != nil)) &&
		(len(m.Methods) == 0 || slices.Contains(m.Methods, r.Method)) &&
		m.matchesHeaders(r)
}

func (m *Match) matchesHost(host string) bool {
	if len(m.Hosts) == 0 {
		return true
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(host, ".")
	for _, pattern := range m.Hosts {
		if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
			if len(host) > len(suffix) && strings.EqualFold(host[len(host)-len(suffix):], suffix) {
				return true
			}
		} else if strings.EqualFold(host, pattern) {
			return true
		}
	}
	return false
}

func (m *Match) matchesPath(path string) bool {
	if m.Path == "" {
		return true
	}
	if prefix, ok := strings.CutSuffix(m.Path, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return path == m.Path
}

func (m *Match) matchesHeaders(r *Request) bool {
	for name, want := range m.Headers {
		matches := false
		for v := range r.ValuesOf(name) {
			matches = matches || want == "" || want == "*" || v == want
		}
		if !matches {
			return false
		}
	}
	return true
}

// prepare checks the route once, so that serving a request cannot fail on it.
func (rt *Route) prepare() error {
	n := 0
	for _, set := range []bool{rt.Pool != nil, rt.Redirect != nil, rt.Respond != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("route %s: needs exactly one of a pool, a redirect and a response, has %d", rt.Name, n)
	}
	rt.edited = rt.RequestHeaders.fields()
	return rt.Fallback.prepare(rt)
}

// deadline returns the bound of a whole request, 0 without one.
func (rt *Route) deadline() time.Duration {
	if rt.Timeout > 0 {
		return rt.Timeout
	}
	return rt.Pool.opts.Timeouts.Request
}

// answer serves a route that has no pool.
func (rt *Route) answer(w http.ResponseWriter, r *Request) {
	rt.ResponseHeaders.apply(w.Header())
	if rt.Redirect != nil {
		rt.Redirect.serve(w, r)
		return
	}
	rt.Respond.serve(w)
}

// Redirect answers with another address.
type Redirect struct {
	To     string // with {host}, {path} and {query} of the request
	Status int    // 0 = 308
}

func (d *Redirect) serve(w http.ResponseWriter, r *Request) {
	host := r.Host
	query := ""
	if r.URL.RawQuery != "" {
		query = "?" + r.URL.RawQuery
	}
	to := strings.NewReplacer("{host}", host, "{path}", onePath(r.URL.EscapedPath()), "{query}", query).Replace(d.To)
	status := d.Status
	if status == 0 {
		status = http.StatusPermanentRedirect
	}
	w.Header().Set("Location", to)
	w.WriteHeader(status)
}

// onePath keeps a path from beginning like the name of another host.
func onePath(path string) string {
	if strings.HasPrefix(path, "//") {
		return "/" + strings.TrimLeft(path, "/")
	}
	return path
}

// Respond answers with a fixed response.
type Respond struct {
	Status  int // 0 = 200
	Body    string
	Headers map[string]string
}

func (f *Respond) serve(w http.ResponseWriter) {
	for name, v := range f.Headers {
		w.Header().Set(name, v)
	}
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	if f.Body != "" {
		w.Write([]byte(f.Body))
	}
}

// HeaderEdits change a header: first Remove, then Set, then Add. In requests the
// fields that they name reach upstreams in no other spelling: see spelling.go.
type HeaderEdits struct {
	Set, Add map[string]string
	Remove   []string
}

// fields returns what the edits are about.
func (e *HeaderEdits) fields() (t fieldTable) {
	for _, name := range slices.Concat(e.Remove, slices.Collect(maps.Keys(e.Set)), slices.Collect(maps.Keys(e.Add))) {
		t.restrict(name)
	}
	return t
}

func (e *HeaderEdits) apply(h message.Editor) {
	for _, name := range e.Remove {
		h.Del(name)
	}
	for name, v := range e.Set {
		h.Set(name, v)
	}
	for name, v := range e.Add {
		h.Add(name, v)
	}
}
