package stale

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// judge decides whether a response may be kept, and until when. It returns nil if not,
// otherwise a Response without header and body.
func judge(q *question, res *http.Response, o Options, rules *Rules, now time.Time) *Response {
	c := parseControl(res.Header["Cache-Control"])
	c.restrict(res.Header["Cdn-Cache-Control"])
	vary, understood := variesBy(res.Header)
	r := &Response{Status: res.StatusCode, stored: now, age: ageOf(res.Header, now), fresh: c.fresh(res.Header, now)}
	r.forAll = c.public || c.ifError > 0 || r.fresh > 0
	rules.adjust(r, res)
	switch {
	case !takesPart(q.header), len(q.header["Range"]) > 0: // some upstreams answer a range with 200
	case c.forbids(o.Hits) || !saysSo(res.Header["Cache-Control"]) && saysNoCache(res.Header["Pragma"]):
	case !whole(res), !understood:
	case q.identified && !r.forAll:
	case !mayKeep(res.StatusCode, r.fresh > 0, o.Hits):
	default:
		r.fresh = max(r.fresh, 0)
		end := now.Add(r.fresh - r.age)
		r.until, r.asking, r.kept = end.Add(c.grace(o.IfError)), end, end
		if o.Hits {
			r.asking = end.Add(c.whileAskedFor())
		}
		if o.Hits && validated(res.Header) && r.fresh > 0 {
			r.kept = end.Add(keptFor)
		}
		for _, use := range []time.Time{r.until, r.asking} {
			if use.After(r.kept) {
				r.kept = use
			}
		}
		if !r.kept.After(now) {
			return nil
		}
		if _, ok := res.Header["Content-Encoding"]; ok { // many upstreams forget Vary
			vary = append(vary, "Accept-Encoding")
		}
		vary = append(vary, rules.Vary...)
		r.vary, r.asked = vary, q.digest(vary)
		return r
	}
	return nil
}

// adjust applies the rules to the freshness of a response. forAll does not change: a
// response without caching headers is not for identified clients.
func (u *Rules) adjust(r *Response, res *http.Response) {
	if u.Fresh > 0 && r.fresh == none && !saysSo(res.Header["Cache-Control"]) && guessable(res.StatusCode) {
		r.fresh = u.Fresh
	}
	if u.Longest > 0 {
		r.fresh = min(r.fresh, u.Longest)
	}
}

// guessable reports whether a response with a status may be fresh without stating so (RFC
// 9110 section 15.1). Among the statuses that allow it, users wait for these two.
func guessable(status int) bool { return status == http.StatusOK || status == http.StatusNotFound }

// takesPart reports whether a request's answers may be kept or replaced by older ones.
// The few cases that RFC 9111 section 3.5 allows with Authorization are not worth the
// risk.
func takesPart(request http.Header) bool {
	_, secret := request["Authorization"]
	return !secret && !parseControl(request["Cache-Control"]).noStore
}

// keptFor is how long a response with a validator is kept past its freshness.
const keptFor = time.Hour

// validated reports whether a response has a validator.
func validated(h http.Header) bool { return len(h["Etag"]) == 1 || len(h["Last-Modified"]) == 1 }

// whileAskedFor returns how long past its freshness a response may be used while a newer
// one is fetched (RFC 5861).
func (c *control) whileAskedFor() time.Duration {
	if c.revalidate || c.sMaxAge != none && c.whileAsked == none {
		return 0
	}
	return max(c.whileAsked, 0)
}

// forbids reports whether a response is private, or may not be used without revalidation.
// With hits, a response that must be revalidated only once it is stale is allowed.
func (c *control) forbids(hits bool) bool {
	return c.noStore || c.noCache || c.private || c.revalidate && !hits
}

func saysSo(fields []string) bool {
	return slices.ContainsFunc(fields, func(s string) bool { return strings.TrimSpace(s) != "" })
}

func saysNoCache(pragma []string) bool {
	return slices.ContainsFunc(pragma, func(s string) bool { return strings.Contains(strings.ToLower(s), "no-cache") })
}

// whole reports whether a response is complete without a trailer, and contains nothing
// for one client alone.
func whole(res *http.Response) bool {
	if _, part := res.Header["Content-Range"]; part || len(res.Trailer) > 0 {
		return false
	}
	for name := range res.Header {
		if givesCredential(name) {
			return false
		}
	}
	return true
}

// mayKeep reports whether responses with a status may be kept; some only with a stated
// freshness.
func mayKeep(status int, fresh, hits bool) bool {
	switch status {
	case http.StatusOK:
		return true
	case http.StatusNoContent, http.StatusMultipleChoices, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
		http.StatusMethodNotAllowed, http.StatusRequestURITooLong:
		return fresh && hits
	case http.StatusNonAuthoritativeInfo, http.StatusMovedPermanently, http.StatusNotFound, http.StatusGone:
		return fresh
	}
	return false
}

// grace returns how long past its freshness a response may be used. s-maxage forbids that
// to a shared cache (RFC 9111 section 5.2.2.10), unless the response itself states a
// time.
func (c *control) grace(ifError time.Duration) time.Duration {
	switch {
	case c.revalidate:
		return 0
	case c.ifError != none:
		return c.ifError
	case c.sMaxAge != none:
		return 0
	}
	return ifError
}

// suits reports whether the response answers a question and is still kept.
func (r *Response) suits(q *question, now time.Time) bool {
	return now.Before(r.kept) && (r.forAll || !q.identified) && r.asked == q.digest(r.vary)
}
