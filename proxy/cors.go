package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// CORS lets pages of other origins read a route's answers (Fetch Standard, section 3.2).
// It answers preflight requests itself, and replaces the upstream's CORS fields.
type CORS struct {
	// Origins are exact origins (https://app.example.com), patterns for all names below
	// one (https://*.example.com), or "*" for all.
	Origins     []string
	Methods     []string      // besides GET, HEAD and POST; "*" = the one that the page asks for
	Headers     []string      // request fields that pages may send; "*" = those that the page asks for
	Expose      []string      // response fields that pages may read
	Credentials bool          // allow cookies and other credentials; not with the origin "*"
	MaxAge      time.Duration // how long browsers keep the answer to a preflight; 0 = their default
}

// corsAnswer are the fields of an upstream's answer that the route's CORS replaces.
var corsAnswer = []string{
	"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
	"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age",
}

// cors sets the CORS fields of the coming response. It answers a preflight, and reports
// whether it did.
func (x *exchange) cors() (answered bool) {
	c, r := x.route.CORS, x.request
	h := x.writer.Header()
	origin := r.Field("Origin")
	anyOrigin := slices.Contains(c.Origins, "*")
	if !anyOrigin {
		x.tell("Vary", "Origin")
	}
	granted := origin != "" && c.allows(origin)
	if granted {
		if anyOrigin {
			origin = "*"
		}
		h.Set("Access-Control-Allow-Origin", origin)
		if c.Credentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
	}
	method := r.Field("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || origin == "" || method == "" {
		if granted && len(c.Expose) > 0 {
			h.Set("Access-Control-Expose-Headers", strings.Join(c.Expose, ", "))
		}
		return false
	}
	x.preflight(c, granted, method)
	return true
}

// preflight answers a preflight request. Without a grant in the answer, the browser does
// not send the actual request.
func (x *exchange) preflight(c *CORS, granted bool, method string) {
	h := x.writer.Header()
	x.tell("Vary", "Access-Control-Request-Method")
	x.tell("Vary", "Access-Control-Request-Headers")
	if granted {
		methods := slices.Concat([]string{"GET", "HEAD", "POST"}, c.Methods)
		if slices.Contains(c.Methods, "*") {
			methods = []string{method}
		}
		h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
		headers := strings.Join(c.Headers, ", ")
		if slices.Contains(c.Headers, "*") {
			headers = x.request.Field("Access-Control-Request-Headers") // for browsers "*" does not include Authorization
		}
		if headers != "" {
			h.Set("Access-Control-Allow-Headers", headers)
		}
		if c.MaxAge > 0 {
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge/time.Second)))
		}
	}
	x.secureHeaders(h)
	x.writer.WriteHeader(http.StatusNoContent)
}

// allows reports whether an origin is allowed. The scheme and host of an origin are in
// lower case (RFC 6454, section 6.1).
func (c *CORS) allows(origin string) bool {
	return slices.ContainsFunc(c.Origins, func(pattern string) bool {
		before, after, wild := strings.Cut(pattern, "*")
		switch {
		case pattern == "*" || pattern == origin:
			return true
		case !wild || len(origin) <= len(before)+len(after):
			return false
		}
		name := origin[len(before) : len(origin)-len(after)]
		return strings.HasPrefix(origin, before) && strings.HasSuffix(origin, after) && !strings.ContainsAny(name, "/:@")
	})
}

// ownCORS removes the upstream's CORS fields from an answer.
func (x *exchange) ownCORS(h message.Editor) {
	if x.route.CORS != nil {
		for _, name := range corsAnswer {
			h.Del(name)
		}
	}
}
