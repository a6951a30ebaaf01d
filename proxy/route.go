package proxy

import (
	"fmt"
	"maps"
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
	Mirror   *Mirror   // sends a share of the requests to another pool as well; nil = none
	Split    *Split    // chooses the pool of each request, in place of Pool, which is its first then; nil = Pool gets all
	Redirect *Redirect
	Respond  *Respond

	RequestHeaders  HeaderEdits
	ResponseHeaders HeaderEdits
	ErrorHeaders    HeaderEdits       // of the errors that the proxy answers itself
	Rewrites        *ResponseRewrites // where answers lead to; nil = as the upstream says
	StripPrefix     string            // taken off the path before it goes upstream
	AddPrefix       string            // put before the path, after StripPrefix
	RewritePath     *RewritePath      // then the path becomes another; nil = it stays
	Host            string            // sent upstream: empty = the client's, HostUpstream = the upstream's, else this
	Timeout         time.Duration     // whole request; 0 = the pool's
	// RetrySafe is the application's promise that every request on this route
	// may be executed twice, whatever its method.
	RetrySafe bool
	// IdempotencyKey is its promise that it executes requests with the same
	// Idempotency-Key once (draft-ietf-httpapi-idempotency-key-header): one that
	// has the header may be sent again.
	IdempotencyKey bool
	Limits         *Limits  // which requests are let in; nil = all
	Priority       Priority // whose turn comes first when requests queue before the pool

	Access        Access         // who may come
	CORS          *CORS          // which pages of other origins may read answers; nil = as the upstream says
	CrossOrigin   *CrossOrigin   // refuses what pages of other origins send; nil = does not
	SecureHeaders *SecureHeaders // fields that answers get; nil = none

	Intercept []int     // statuses of upstreams' answers that an error page takes the place of
	Compress  *Compress // which answers are compressed; nil = none

	asking         bool                 // the route asks something of who comes
	guarded        fieldTable           // fields that only access may set
	edited         fieldTable           // what RequestHeaders is about
	requestValues  map[string]*template // of RequestHeaders, by their text; nil = none has variables
	responseValues map[string]*template // of ResponseHeaders
	errorValues    map[string]*template // of ErrorHeaders
	body           *template            // of Respond; nil = it has no variables
	rewriteValues  map[string]*template // of Rewrites
	target         *template            // of Redirect; nil = it has no variables
	mark           string               // of this route in Goodgate-Passed
}

// HostUpstream as [Route.Host] sends each upstream its own name.
const HostUpstream = "upstream"

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
	var err error
	if rt.Access.Forward, err = rt.Access.Forward.prepared(); err != nil {
		return fmt.Errorf("route %s: %w", rt.Name, err)
	}
	rt.asking, rt.guarded = rt.asks(), rt.identityFields()
	rt.edited = rt.RequestHeaders.fields()
	rt.requestValues, rt.responseValues = rt.RequestHeaders.templates(), rt.ResponseHeaders.templates()
	rt.errorValues = rt.ErrorHeaders.templates()
	if rt.Respond != nil {
		rt.body = newTemplate(rt.Respond.Body)
	}
	rt.rewriteValues = rt.Rewrites.templates()
	if rt.Redirect != nil {
		rt.target = newTemplate(rt.Redirect.To)
	}
	if m := rt.Mirror; m != nil && (m.Pool == nil || m.Work == nil || rt.Pool == nil) {
		return fmt.Errorf("route %s: a mirror needs a pool beside that of the route, and its work", rt.Name)
	}
	if err := rt.Split.prepare(rt); err != nil {
		return err
	}
	return rt.Fallback.prepare(rt)
}

// answerRoute serves a route that has no pool.
func (x *exchange) answerRoute() {
	rt := x.route
	x.editResponse(x.writer.Header(), false)
	if rt.Redirect != nil {
		x.redirect(rt.Redirect)
		return
	}
	answer := rt.Respond
	if rt.body != nil {
		answer = new(*answer)
		answer.Body = rt.body.fill(x)
	}
	answer.serve(&x.writer)
}

// Redirect answers with another address.
type Redirect struct {
	To     string // with variables, and with {1} to {9}, the groups of Match.PathRegexp
	Status int    // 0 = 308
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
	Status  int    // 0 = 200
	Body    string // of a route with variables
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
