package stale

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Response is one that is kept. It must not be changed.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	stored time.Time
	age    time.Duration // when it was stored
	fresh  time.Duration // from its birth
	until  time.Time     // the end of its use
	silent bool          // it says nothing about caching
	vary   []string      // names of the request's fields that it depends on
	asked  []string      // and their values
}

// Age returns how old the response is, in RFC 9111's sense.
func (r *Response) Age(now time.Time) time.Duration { return r.age + now.Sub(r.stored) }

// TTL returns for how long the response is still fresh; negative when it no
// longer is.
func (r *Response) TTL(now time.Time) time.Duration { return r.fresh - r.Age(now) }

// judge makes a Response, without header and body yet, of one that may be kept,
// and returns nil otherwise.
func judge(request http.Header, res *http.Response, ifError time.Duration, now time.Time) *Response {
	c := parseControl(res.Header["Cache-Control"])
	if len(res.Trailer) > 0 || !keepable(request, res.Header, &c) {
		return nil
	}
	r := &Response{Status: res.StatusCode, stored: now, age: ageOf(res.Header, now), fresh: c.fresh(res.Header, now)}
	r.silent = r.fresh == none && c.ifError == none && !c.public
	explicit := r.fresh > 0
	r.fresh = max(r.fresh, 0)
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNonAuthoritativeInfo, http.StatusMovedPermanently, http.StatusNotFound, http.StatusGone:
		if !explicit {
			return nil
		}
	default:
		return nil
	}
	if r.silent && hasCookie(request) {
		return nil
	}
	r.until = now.Add(r.fresh + c.grace(ifError) - r.age)
	if !r.until.After(now) {
		return nil
	}
	r.vary = variesBy(res.Header)
	r.asked = selecting(request, r.vary)
	return r
}

// grace returns how long a response may be used past its freshness. s-maxage
// forbids that to a shared cache (RFC 9111 section 5.2.2.10), unless the response
// itself says how long.
func (c *control) grace(ifError time.Duration) time.Duration {
	switch {
	case c.ifError != none:
		return c.ifError
	case c.sMaxAge != none:
		return 0
	}
	return ifError
}

// keepable reports whether a response is for everybody and may be used without
// asking.
func keepable(request, h http.Header, c *control) bool {
	for _, name := range []string{"Set-Cookie", "Set-Cookie2", "Content-Range"} {
		if _, ok := h[name]; ok {
			return false
		}
	}
	_, says := h["Cache-Control"]
	return !c.noStore && !c.noCache && !c.private && !c.revalidate &&
		(says || !strings.EqualFold(h.Get("Pragma"), "no-cache")) &&
		!slices.Contains(variesBy(h), "*") && takesPart(request)
}

// takesPart reports whether a request's answers are for everybody.
func takesPart(request http.Header) bool {
	_, secret := request["Authorization"]
	return !secret && !parseControl(request["Cache-Control"]).noStore
}

func hasCookie(request http.Header) bool {
	_, ok := request["Cookie"]
	return ok
}

// suits reports whether the response may answer a request now.
func (r *Response) suits(request http.Header, now time.Time) bool {
	return now.Before(r.until) && r.selects(request) && (!r.silent || !hasCookie(request))
}

// selects reports whether a request has the fields that the response was chosen
// by (RFC 9111 section 4.1).
func (r *Response) selects(request http.Header) bool {
	return slices.Equal(r.asked, selecting(request, r.vary))
}

// variesBy returns the names in Vary.
func variesBy(h http.Header) []string {
	var names []string
	for _, field := range h["Vary"] {
		for name := range strings.SplitSeq(field, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, http.CanonicalHeaderKey(name))
			}
		}
	}
	return names
}

func selecting(request http.Header, names []string) []string {
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = strings.Join(request[name], ",")
	}
	return values
}

// overhead is what an entry takes beside its texts, roughly.
const overhead = 512

// size returns the bytes that the response takes.
func (r *Response) size() int64 {
	n := overhead + len(r.Body)
	for name, values := range r.Header {
		n += len(name) + 64
		for _, v := range values {
			n += len(v) + 16
		}
	}
	for i := range r.vary {
		n += len(r.vary[i]) + len(r.asked[i]) + 32
	}
	return int64(n)
}
