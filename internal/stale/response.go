package stale

import (
	"bytes"
	"net/http"
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
	until  time.Time     // the end of its use instead of an error
	asking time.Time     // the end of its use while a newer one is fetched
	kept   time.Time     // when it is of no more use, even to be revalidated
	forAll bool          // by its own word, whoever asked for it
	vary   []string      // names of the request's fields that it says it depends on
	asked  digest        // of the question that it answered
	public string        // the target as the client had it; empty = as the key has it
	size   int64         // bytes that it takes
}

// Age returns how old the response is, in RFC 9111's sense.
func (r *Response) Age(now time.Time) time.Duration { return r.age + now.Sub(r.stored) }

// TTL returns for how long the response is still fresh; negative when it no
// longer is.
func (r *Response) TTL(now time.Time) time.Duration { return r.fresh - r.Age(now) }

// fill gives the response its header, its body and its public target. All are copied, texts too: they
// are parts of larger ones, which would be kept along.
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
		r.size += int64(len(name)) + 2*stringSize // with the room that append takes ahead
	}
}

const (
	// overhead is what an entry takes beside what it holds: itself, and its places
	// in the map and the list.
	overhead = 640

	stringSize = 16
)

// mapSize returns the bytes of the tables of a map of n fields: groups of eight
// places, of which one in eight is free.
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
