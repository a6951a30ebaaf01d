package stale

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Use is the possible use of a kept response.
type Use int

const (
	Miss       Use = iota // no response
	Hit                   // the response is the answer
	HitAsk                // the response is the answer, and a newer one should be fetched (stale-while-revalidate, RFC 5861)
	Revalidate            // the response is the answer if an upstream confirms it
	OnlyCached            // no response, and the client accepts no other (only-if-cached)
	Aside                 // the request takes no part: its answer may come neither from the cache nor into it
)

// Look returns the kept response that may answer a request without an upstream,
// by RFC 9111 sections 4 and 5.2.1. The answer to a GET also serves a HEAD.
func (c *Cache) Look(k Key, request http.Header, now time.Time) (*Response, Use) {
	wish := parseControl(request["Cache-Control"])
	if !c.opts.Hits || k.Method != http.MethodGet && k.Method != http.MethodHead || !takesPart(request) {
		if wish.onlyCached {
			return nil, OnlyCached
		}
		return nil, Aside
	}
	q := ask(k, request)
	r := c.find(&q, now)
	if r == nil && k.Method == http.MethodHead {
		q.key.Method = http.MethodGet
		r = c.find(&q, now)
	}
	use := use(r, &wish, !saysSo(request["Cache-Control"]) && saysNoCache(request["Pragma"]), now)
	if len(request["Range"]) > 0 && (use != Hit || !r.ranged(k, request)) {
		use = Miss
	}
	if wish.onlyCached && use != Hit && use != HitAsk {
		return nil, OnlyCached
	}
	if use == Miss {
		return nil, Miss
	}
	return r, use
}

func use(r *Response, wish *control, anew bool, now time.Time) Use {
	if r == nil {
		return Miss
	}
	ttl := r.TTL(now)
	switch {
	case wish.noCache, anew, wish.maxAge != none && r.Age(now) > wish.maxAge, wish.minFresh != none && ttl < wish.minFresh:
	case wish.maxAge == 0:
	case ttl > 0:
		return Hit
	case now.Before(r.asking):
		return HitAsk
	}
	if validated(r.Header) {
		return Revalidate
	}
	return Miss
}

// Validators returns the request fields that ask an upstream whether the response has
// changed.
func (r *Response) Validators() map[string]string {
	v := map[string]string{}
	if tag := r.Header["Etag"]; len(tag) == 1 {
		v["If-None-Match"] = tag[0]
	}
	if at := r.Header["Last-Modified"]; len(at) == 1 {
		v["If-Modified-Since"] = at[0]
	}
	return v
}

// notRenewed are the fields that an answer of 304 does not change, because they describe
// the kept body (RFC 9111 section 3.2).
var notRenewed = []string{"Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Transfer-Encoding", "Connection", "Keep-Alive", "Trailer"}

// Renew returns an unchanged response with the new fields of the answer that confirmed
// it, and keeps it if the rules allow it.
func (c *Cache) Renew(rules *Rules, k Key, request http.Header, old *Response, answer http.Header, now time.Time) *Response {
	h := old.Header.Clone()
	delete(h, "Age")
	delete(h, "Date") // of the old answer; without a new one the answer is from now (RFC 9110 section 6.6.1)
	for name, values := range answer {
		if !slices.Contains(notRenewed, name) {
			h[name] = values
		}
	}
	c.PutBy(rules, k, request, &http.Response{StatusCode: old.Status, Header: h, ContentLength: int64(len(old.Body))}, old.Body, now)
	return &Response{Status: old.Status, Header: h, Body: old.Body, stored: now, age: ageOf(h, now)}
}

// NotModified reports whether the client already has the response (RFC 9110 section
// 13.2.2).
func (r *Response) NotModified(request http.Header) bool {
	if r.Status != http.StatusOK {
		return false
	}
	if tags, ok := request["If-None-Match"]; ok {
		return hasTag(strings.Join(tags, ","), r.Header.Get("Etag"))
	}
	since, err := http.ParseTime(request.Get("If-Modified-Since"))
	changed, err2 := http.ParseTime(r.Header.Get("Last-Modified"))
	return err == nil && err2 == nil && !changed.After(since)
}

// hasTag reports whether a list of entity tags contains one, by the weak comparison (RFC
// 9110 section 8.8.3.2). A tag may contain commas.
func hasTag(list, own string) bool {
	if strings.TrimSpace(list) == "*" {
		return true
	}
	own = strings.TrimPrefix(own, "W/")
	for own != "" {
		list = strings.TrimPrefix(strings.TrimLeft(list, ", \t"), "W/")
		if list == "" {
			return false
		}
		end := strings.IndexByte(list, ',')
		if rest, ok := strings.CutPrefix(list, `"`); ok && strings.Contains(rest, `"`) {
			end = strings.IndexByte(rest, '"') + 2
		}
		tag := list
		if end >= 0 {
			tag = list[:end]
		}
		if strings.TrimSpace(tag) == own {
			return true
		}
		list = list[len(tag):]
	}
	return false
}
