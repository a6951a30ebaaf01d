package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Route defines which requests it takes, and what happens to them: it forwards them to
// Pool, or answers them with Redirect or Respond. Exactly one of the three must be set.
type Route struct {
	Name     string
	Match    Match
	Pool     *Pool
	Fallback *Fallback // answers when Pool cannot; nil = none
	Mirror   *Mirror   // copies a share of the requests to another pool; nil = none
	Split    *Split    // chooses the pool for each request; Pool is then its first side; nil = always Pool
	Redirect *Redirect
	Respond  *Respond

	RequestHeaders  HeaderEdits
	ResponseHeaders HeaderEdits
	ResponseRules   []ResponseRule    // edits of upstreams' answers by their status; nil = none
	ErrorHeaders    HeaderEdits       // for errors that the proxy itself answers
	Rewrites        *ResponseRewrites // edits of links and cookies in answers; nil = unchanged
	StripPrefix     string            // removed from the path before it goes upstream
	AddPrefix       string            // put before the path, after StripPrefix
	RewritePath     *RewritePath      // replaces the path, after the other two; nil = no replacement
	RequestQuery    *QueryEdits       // changes the query, after RewritePath; nil = unchanged
	Host            string            // the Host for the upstream: empty = the client's, HostUpstream = the upstream's name, else this text
	Timeout         time.Duration     // limit of the whole request; 0 = the pool's
	// RetrySafe is the application's promise that it may execute every request on this
	// route twice, whatever the method.
	RetrySafe bool
	// IdempotencyKey is the application's promise to execute requests with the same
	// Idempotency-Key only once (draft-ietf-httpapi-idempotency-key-header). The proxy
	// may then send a request with that header again.
	IdempotencyKey bool
	Limits         *Limits  // the requests that may pass; nil = all
	Priority       Priority // order of the requests in the pool's queue

	ClientCert ClientCert // the fields of the client's certificate for upstreams

	Access        Access         // who may use the route
	CORS          *CORS          // which pages of other origins may read answers; nil = the upstream decides
	CrossOrigin   *CrossOrigin   // refuses requests from pages of other origins; nil = accepts them
	SecureHeaders *SecureHeaders // security fields for answers; nil = none

	Intercept []int      // statuses of upstreams' answers that an error page replaces
	Cache     RouteCache // use of the pool's kept responses
	Compress  *Compress  // which answers to compress; nil = none

	Faults    []Fault    // faults to inject; nil = none
	Injection *Injection // more faults, which may change at run time; nil = none

	asking         bool         // access needs a check before the request may pass
	guarded        fieldTable   // fields that only access may set
	edited         fieldTable   // fields that RequestHeaders edits
	requestValues  texts        // of RequestHeaders
	responseValues texts        // of ResponseHeaders
	errorValues    texts        // of ErrorHeaders
	rewriteValues  texts        // of Rewrites
	fixed          *fixedAnswer // of Respond
	target         *Text        // of Redirect; nil = without variables
	mark           string       // the route's mark in Goodgate-Passed
}

// HostUpstream in [Route.Host] sends each upstream its own name.
const HostUpstream = "upstream"

// HostKeep in [ForwardAuth.Host] keeps the client's Host in requests to the service.
const HostKeep = "keep"

// prepare checks and compiles the route once, so that no request can fail on it.
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
	rt.asking, rt.guarded = rt.asks(), rt.identityFields()
	rt.edited = rt.RequestHeaders.fields()
	rt.requestValues, rt.responseValues, rt.errorValues = rt.RequestHeaders.texts(), rt.ResponseHeaders.texts(), rt.ErrorHeaders.texts()
	rt.rewriteValues = rt.Rewrites.texts()
	rt.RewritePath, rt.RequestQuery = rt.RewritePath.prepared(), rt.RequestQuery.prepared()
	rt.ResponseRules = preparedRules(rt.ResponseRules)
	rt.fixed = rt.Respond.compiled(rt.ResponseHeaders.Set)
	if rt.Redirect != nil {
		rt.target = compileNonPlain(rt.Redirect.To, inTarget)
	}
	if m := rt.Mirror; m != nil && (m.Pool == nil || m.Work == nil || rt.Pool == nil) {
		return fmt.Errorf("route %s: a mirror needs a pool beside that of the route, and its work", rt.Name)
	}
	if err := rt.Split.prepare(rt); err != nil {
		return err
	}
	rt.Fallback, err = rt.Fallback.prepared(rt)
	return err
}

// answerRoute answers on a route without a pool.
func (x *exchange) answerRoute() {
	rt := x.route
	x.editResponse(x.writer.Header(), false)
	if rt.Redirect != nil {
		x.redirect(rt.Redirect)
		return
	}
	rt.fixed.fill(x).serve(&x.writer)
}

// redirect answers with a redirect.
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

// Redirect answers a request with a redirect to another address.
type Redirect struct {
	To     string // the address, with variables, and {1} to {9} for the groups of Match.PathRegexp
	Status int    // 0 = 308
}

// onePath keeps a path from beginning like the name of another host. Browsers read a
// backslash as a slash.
func onePath(path string) string {
	if len(path) > 1 && path[0] == '/' && (path[1] == '/' || path[1] == '\\') {
		return "/" + strings.TrimLeft(path, `/\`)
	}
	return path
}
