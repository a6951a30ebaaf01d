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

// grantOrigin sets the CORS fields of the coming response, whatever it is.
func (x *exchange) grantOrigin() {
	c, origin := x.route.CORS, x.request.Field("Origin")
	anyOrigin := slices.Contains(c.Origins, "*")
	if !anyOrigin {
		x.tell("Vary", "Origin")
	}
	if !c.allows(origin) {
		return
	}
	if anyOrigin {
		origin = "*"
	}
	h := x.writer.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	if c.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.Expose) > 0 && x.preflightMethod() == "" {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.Expose, ", "))
	}
}

// preflightMethod returns the method that a preflight asks for; empty for other requests.
func (x *exchange) preflightMethod() string {
	if r := x.request; r.Method == http.MethodOptions && r.Field("Origin") != "" {
		return r.Field("Access-Control-Request-Method")
	}
	return ""
}

// preflight answers a preflight request. Without a grant in the answer, the browser does
// not send the actual request.
func (x *exchange) preflight(method string) {
	c, h := x.route.CORS, x.writer.Header()
	x.tell("Vary", "Access-Control-Request-Method")
	x.tell("Vary", "Access-Control-Request-Headers")
	if c.allows(x.request.Field("Origin")) {
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

// allows reports whether pages of an origin may read answers.
func (c *CORS) allows(origin string) bool {
	return origin != "" && (slices.Contains(c.Origins, "*") || c.lists(origin))
}

// trusts reports whether pages of an origin may change something. "*" trusts nobody, and
// neither does "null", which every site can make the origin of a page.
func (c *CORS) trusts(origin string) bool { return origin != "null" && c.lists(origin) }

// lists reports whether an origin is in the list, exactly or by a pattern. The scheme and
// host of an origin are in lower case (RFC 6454, section 6.1).
func (c *CORS) lists(origin string) bool {
	return slices.ContainsFunc(c.Origins, func(pattern string) bool {
		before, after, wild := strings.Cut(pattern, "*")
		switch {
		case pattern == origin:
			return true
		case !wild || pattern == "*" || len(origin) <= len(before)+len(after):
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
