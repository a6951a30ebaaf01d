package proxy

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
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

	ClientCert ClientCert // what upstreams get of the client's certificate

	Access        Access         // who may come
	CORS          *CORS          // which pages of other origins may read answers; nil = as the upstream says
	CrossOrigin   *CrossOrigin   // refuses what pages of other origins send; nil = does not
	SecureHeaders *SecureHeaders // fields that answers get; nil = none

	Intercept []int      // statuses of upstreams' answers that an error page takes the place of
	Cache     RouteCache // how what the pool keeps is used
	Compress  *Compress  // which answers are compressed; nil = none

	Faults []Fault // on purpose; nil = none

	asking         bool       // the route asks something of who comes
	guarded        fieldTable // fields that only access may set
	edited         fieldTable // what RequestHeaders is about
	requestValues  texts      // of RequestHeaders
	responseValues texts      // of ResponseHeaders
	errorValues    texts      // of ErrorHeaders
	rewriteValues  texts      // of Rewrites
	body           *Text      // of Respond; nil = it has no variables
	target         *Text      // of Redirect; nil = it has no variables
	mark           string     // of this route in Goodgate-Passed
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
	rt.Match.prepare()
	var err error
	if rt.Access.Forward, err = rt.Access.Forward.prepared(); err != nil {
		return fmt.Errorf("route %s: %w", rt.Name, err)
	}
	if rt.Access.Forward != nil {
		rt.ClientCert.fields(&rt.Access.Forward.claims) // it is the same for the service that is asked
	}
	rt.asking, rt.guarded = rt.asks(), rt.identityFields()
	rt.edited = rt.RequestHeaders.fields()
	rt.requestValues, rt.responseValues, rt.errorValues = rt.RequestHeaders.texts(), rt.ResponseHeaders.texts(), rt.ErrorHeaders.texts()
	rt.rewriteValues = rt.Rewrites.texts()
	rt.prepareAnswer()
	if m := rt.Mirror; m != nil && (m.Pool == nil || m.Work == nil || rt.Pool == nil) {
		return fmt.Errorf("route %s: a mirror needs a pool beside that of the route, and its work", rt.Name)
	}
	if err := rt.Split.prepare(rt); err != nil {
		return err
	}
	return rt.Fallback.prepare(rt)
}

// prepareAnswer compiles what a route without a pool answers. What a client sends is
// escaped in a body by its type, and a body without one is no HTML.
func (rt *Route) prepareAnswer() {
	if rt.Redirect != nil {
		rt.target = compileNonPlain(rt.Redirect.To, inTarget)
	}
	if rt.Respond == nil {
		return
	}
	contentType := rt.Respond.contentType(rt.ResponseHeaders.Set)
	if rt.body = compileNonPlain(rt.Respond.Body, whereOf(contentType)); rt.body != nil && contentType == "" {
		rt.Respond = new(*rt.Respond)
		rt.Respond.Headers = maps.Clone(rt.Respond.Headers)
		if rt.Respond.Headers == nil {
			rt.Respond.Headers = map[string]string{}
		}
		rt.Respond.Headers["Content-Type"] = "text/plain; charset=utf-8"
	}
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

// redirect answers with another address.
func (x *exchange) redirect(d *Redirect) {
	to := d.To
	if x.route.target != nil {
		to = onePath(x.route.target.fill(x))
	}
	status := d.Status
	if status == 0 {
		status = http.StatusPermanentRedirect
	}
	x.writer.Header().Set("Location", to)
	x.writer.WriteHeader(status)
}

// Redirect answers with another address.
type Redirect struct {
	To     string // with variables, and with {1} to {9}, the groups of Match.PathRegexp
	Status int    // 0 = 308
}

// onePath keeps a path from beginning like the name of another host. To browsers a
// backslash is a slash.
func onePath(path string) string {
	if len(path) > 1 && path[0] == '/' && (path[1] == '/' || path[1] == '\\') {
		return "/" + strings.TrimLeft(path, `/\`)
	}
	return path
}

// Respond answers with a fixed response.
type Respond struct {
	Status  int    // 0 = 200
	Body    string // of a route with variables
	Headers map[string]string
}

// contentType returns the answer's type; set are the fields that its route sets.
func (f *Respond) contentType(set map[string]string) string {
	for _, headers := range []map[string]string{f.Headers, set} {
		for name, v := range headers {
			if strings.EqualFold(name, "Content-Type") {
				return v
			}
		}
	}
	return ""
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
