package stale

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// Response is a kept response. It must not be changed.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	stored time.Time
	age    time.Duration // its age when it was stored
	fresh  time.Duration // its freshness from birth
	until  time.Time     // end of its use instead of an error
	asking time.Time     // end of its use while a newer one is fetched
	kept   time.Time     // end of any use, including revalidation
	forAll bool          // it explicitly allows shared caching, even with a credential
	vary   []string      // names of the request fields in its Vary
	asked  digest        // digest of the question that it answered
	public string        // the client's target; empty = the same as the key's
	size   int64         // size in bytes
}

// Age returns how old the response is, in RFC 9111's sense.
func (r *Response) Age(now time.Time) time.Duration { return r.age + now.Sub(r.stored) }

// TTL returns the remaining freshness; it is negative for a stale response.
func (r *Response) TTL(now time.Time) time.Duration { return r.fresh - r.Age(now) }

// fill sets copies of the header, the body and the public target. Texts are copied as
// well: they are parts of larger ones, which would stay in memory.
func (r *Response) fill(h http.Header, body []byte, public string) {
	texts, values := len(public), 0
	for name, vs := range h {
		texts += len(name)
		values += len(vs)
		for _, v := range vs {
			texts += len(v)
		}
	}
	var all strings.Builder
	all.Grow(texts)
	room := make([]string, 0, values)
	r.Header = make(http.Header, len(h))
	add := func(s string) string {
		at := all.Len()
		all.WriteString(s)
		return all.String()[at:]
	}
	for name, vs := range h {
		name, from := add(name), len(room)
		for _, v := range vs {
			room = append(room, add(v))
		}
		r.Header[name] = room[from:len(room):len(room)]
	}
	r.public = add(public)
	r.Body = bytes.Clone(body)
	r.size = overhead + int64(cap(r.Body)+all.Cap()+cap(room)*stringSize) + mapSize(len(h))
	for _, name := range r.vary {
		r.size += int64(len(name)) + 2*stringSize // including the spare capacity of append
	}
}

const (
	// overhead is the size of an entry without its content, in bytes: itself, and its
	// places in the map and the list.
	overhead = 640

	stringSize = 16
)

// mapSize returns the size of the tables of a map with n fields, in bytes: groups of
// eight places, one in eight of them free.
func mapSize(n int) int64 {
	const group = 8*(stringSize+24) + 8
	if n == 0 {
		return 0
	}
	places := 8
	for n > 8 && n > places*7/8 {
		places *= 2
	}
	return int64(places / 8 * group)
}
