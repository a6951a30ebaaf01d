package stale

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Options bound a [Cache].
type Options struct {
	MaxSize int64         // bytes of all that is kept
	IfError time.Duration // how long a response that does not say so itself may be used past its freshness; 0 = not at all
	Hits    bool          // responses are used while they are fresh, too; see Look
	Counts  *Counts       // counts what happens; nil = nobody does
}

// Counts are of one cache, and of those that replace it. They are safe for concurrent use.
type Counts struct {
	Hits, Stale, Revalidated, Misses, IfError atomic.Int64 // requests: by what answered them
	Coalesced                                 atomic.Int64 // hits that waited for another request
	Stored, Evicted, Purged                   atomic.Int64 // responses; resources
}

// Rules are what an operator says of the responses to some requests. The zero value says nothing.
type Rules struct {
	Fresh   time.Duration // freshness of a response that says nothing about caching, if its status allows that; 0 = none
	Longest time.Duration // of any freshness; 0 = no bound
	MaxBody int64         // bytes of a body that is kept; 0 = no bound
	Vary    []string      // fields of requests that answers depend on, canonical
}

// Key says what is asked for, and how. What else decides the answer is in the
// request's header.
type Key struct {
	Method string // GET, or HEAD
	Scheme string
	Host   string
	Target string // path and query

	Route       string // routes may change a request each in its own way
	Certificate bool   // the client has shown one
	Asked       string // the target as the client has it, for Purge; empty = the same
}

// resource returns the key without what only tells apart the answers to it, so
// that they can be forgotten together.
func (k Key) resource() Key {
	k.Route, k.Asked, k.Certificate = "", "", false
	return k
}

const (
	// A resource that is asked for all the time is not stored anew each time.
	minInterval = time.Second

	// maxVariants bounds the responses to one key that differ by what else decides
	// them.
	maxVariants = 64
)

// Cache keeps responses.
type Cache struct {
	opts Options

	mu   sync.Mutex // protects the fields below
	all  *simplelru.LRU[Key, *resource]
	size int64
}

// resource is the responses to one key.
type resource struct {
	variants []*Response // the latest last
	size     int64
}

// New returns an empty cache.
func New(o Options) *Cache {
	if o.Counts == nil {
		o.Counts = new(Counts)
	}
	c := &Cache{opts: o}
	// The bound on bytes is reached first: no entry takes less than overhead.
	all, err := simplelru.NewLRU(int(o.MaxSize/overhead)+1, func(_ Key, r *resource) { c.size -= r.size })
	if err != nil {
		panic(err) // of a size that is not positive
	}
	c.all = all
	return c
}

// Put is [Cache.PutBy] without rules.
func (c *Cache) Put(k Key, request http.Header, res *http.Response, body []byte, now time.Time) (kept bool) {
	return c.PutBy(&Rules{}, k, request, res, body, now)
}

// PutBy keeps a response with its whole body, if it may be kept. It copies what it
// keeps, and reports whether it does.
func (c *Cache) PutBy(rules *Rules, k Key, request http.Header, res *http.Response, body []byte, now time.Time) (kept bool) {
	if k.Method != http.MethodGet && k.Method != http.MethodHead {
		return false
	}
	q := ask(k, request)
	if !c.opts.Hits && c.recent(&q, now) {
		return false
	}
	r := judge(&q, res, c.opts, rules, now)
	if r == nil {
		if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone {
			c.gone(&q)
		}
		return false
	}
	if int64(len(body)) > c.opts.MaxSize || rules.MaxBody > 0 && int64(len(body)) > rules.MaxBody {
		return false
	}
	r.fill(res.Header, body, k.Asked)
	q.prepare(c.variants(&q))
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.put(&q, r)
}

// put adds a response in the place of the one it replaces. Called with mu held.
func (c *Cache) put(q *question, r *Response) bool {
	k := q.key.resource()
	room := c.opts.MaxSize - int64(len(k.Host)+len(k.Target)) - r.size
	if room < 0 {
		return false
	}
	next := []*Response{r}
	if old, ok := c.all.Peek(k); ok {
		for _, v := range slices.Backward(old.variants) {
			if !r.stored.Before(v.kept) || v.asked == q.digest(v.vary) {
				continue
			}
			if room -= v.size; room < 0 || len(next) == maxVariants {
				break
			}
			next = append(next, v)
		}
		slices.Reverse(next)
	}
	c.set(k, next)
	c.opts.Counts.Stored.Add(1)
	return true
}

// set makes these the responses to a key. Called with mu held.
func (c *Cache) set(k Key, variants []*Response) {
	c.all.Remove(k)
	if len(variants) == 0 {
		return
	}
	for _, text := range []*string{&k.Method, &k.Scheme, &k.Host, &k.Target} {
		*text = strings.Clone(*text) // a part of the request's header, all of which would be kept with it
	}
	r := &resource{variants: variants, size: int64(len(k.Host) + len(k.Target))}
	for _, v := range variants {
		r.size += v.size
	}
	c.all.Add(k, r)
	c.size += r.size
	for c.size > c.opts.MaxSize {
		c.all.RemoveOldest()
		c.opts.Counts.Evicted.Add(1)
	}
}

// gone drops the response to a question whose answer is now that there is none.
// To somebody who is known that may be a secret, which others need not miss.
func (c *Cache) gone(q *question) {
	if q.identified || !takesPart(q.header) {
		return
	}
	q.prepare(c.variants(q))
	c.mu.Lock()
	defer c.mu.Unlock()
	k := q.key.resource()
	if old, ok := c.all.Peek(k); ok {
		c.set(k, slices.DeleteFunc(slices.Clone(old.variants), func(v *Response) bool { return v.asked == q.digest(v.vary) }))
	}
}

// recent reports whether the response to a question was stored a moment ago.
func (c *Cache) recent(q *question, now time.Time) bool {
	v := c.find(q, now)
	return v != nil && now.Sub(v.stored) < minInterval
}

// Get returns the response for a request that nobody can answer now, nil when
// there is none. The answer to a GET serves a HEAD too.
func (c *Cache) Get(k Key, request http.Header, now time.Time) *Response {
	if k.Method != http.MethodGet && k.Method != http.MethodHead || !takesPart(request) || parseControl(request["Cache-Control"]).noCache {
		return nil
	}
	q := ask(k, request)
	r := c.find(&q, now)
	if r == nil && k.Method == http.MethodHead {
		q.key.Method = http.MethodGet
		r = c.find(&q, now)
	}
	if r != nil && !now.Before(r.until) {
		return nil
	}
	return r
}

// find returns the latest response that suits a question.
func (c *Cache) find(q *question, now time.Time) *Response {
	for _, v := range slices.Backward(c.variants(q)) {
		if v.suits(q, now) {
			return v
		}
	}
	return nil
}

// variants returns the responses to a question's key, which nobody changes. They are
// judged without the lock, since that takes as long as a client's header is large.
func (c *Cache) variants(q *question) []*Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	if res, ok := c.all.Get(q.key.resource()); ok {
		return res.variants
	}
	return nil
}

// prepare makes the digests that the responses to a question's key are told apart by,
// before the lock is held.
func (q *question) prepare(variants []*Response) {
	for _, v := range variants {
		q.digest(v.vary)
	}
}

// Forget drops what is kept of a target, whatever the method: it has changed
// (RFC 9111 section 4.4), or is gone.
func (c *Cache) Forget(k Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k = k.resource()
	for _, k.Method = range []string{http.MethodGet, http.MethodHead} {
		c.all.Remove(k)
	}
}

// Size returns the bytes that are kept.
func (c *Cache) Size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// Len returns of how many resources something is kept.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all.Len()
}
