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
	MaxSize int64         // limit, in bytes
	IfError time.Duration // default time past its freshness in which a response may replace an error; 0 = none
	Hits    bool          // fresh responses are used, too; see Look
	Counts  *Counts       // nil = no counts
}

// Counts are those of one cache, and of the caches that replace it. They are safe for
// concurrent use.
type Counts struct {
	Hits, Stale, Revalidated, Misses, IfError atomic.Int64 // requests, by the kind of answer
	Coalesced                                 atomic.Int64 // hits that waited for another request
	Stored, Evicted, Purged                   atomic.Int64 // responses; resources
}

// Rules are the operator's settings for the responses to some requests. The zero value
// changes nothing.
type Rules struct {
	Fresh   time.Duration // freshness of a response without caching headers, if its status allows that; 0 = none
	Longest time.Duration // limit on any freshness; 0 = none
	MaxBody int64         // largest kept body, in bytes; 0 = no limit
	Vary    []string      // canonical names of request fields that answers depend on
}

// Key identifies the resource and the way it is requested. The other facts that decide
// about the answer are in the request's header.
type Key struct {
	Method string // GET, or HEAD
	Scheme string
	Host   string
	Target string // path and query

	Route       string // each route may change requests in its own way
	Certificate bool   // the client has shown a certificate
	Asked       string // the client's target, for Purge; empty = the same
}

// resource returns the key without the parts that only distinguish its answers, so that
// Forget can drop them together.
func (k Key) resource() Key {
	k.Route, k.Asked, k.Certificate = "", "", false
	return k
}

const (
	// minInterval limits how often a frequently requested resource is stored anew.
	minInterval = time.Second

	// maxVariants bounds the responses to one key that differ by the request's header.
	maxVariants = 64
)

// Cache keeps responses.
type Cache struct {
	opts Options

	mu   sync.Mutex // protects the fields below
	all  *simplelru.LRU[Key, *resource]
	size int64
}

// resource has the responses to one key.
type resource struct {
	variants []*Response // latest last
	size     int64
}

// New returns an empty cache.
func New(o Options) *Cache {
	if o.Counts == nil {
		o.Counts = new(Counts)
	}
	c := &Cache{opts: o}
	// MaxSize is reached before this limit: every entry takes at least overhead.
	all, err := simplelru.NewLRU(int(o.MaxSize/overhead)+1, func(_ Key, r *resource) { c.size -= r.size })
	if err != nil {
		panic(err) // the size is positive
	}
	c.all = all
	return c
}

// Put is [Cache.PutBy] without rules.
func (c *Cache) Put(k Key, request http.Header, res *http.Response, body []byte, now time.Time) (kept bool) {
	return c.PutBy(&Rules{}, k, request, res, body, now)
}

// PutBy keeps a response with its whole body, if the rules allow it, and reports whether
// it did. It copies the response.
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

// put adds a response in place of the one that it replaces. mu must be held.
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

// set replaces the responses to a key. mu must be held.
func (c *Cache) set(k Key, variants []*Response) {
	c.all.Remove(k)
	if len(variants) == 0 {
		return
	}
	for _, text := range []*string{&k.Method, &k.Scheme, &k.Host, &k.Target} {
		*text = strings.Clone(*text) // the original would keep the request's whole header in memory
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

// gone drops the response to a question after an answer of 404 or 410. It ignores
// identified requests: for such a client the resource may be hidden, while others may
// still see it.
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

// recent reports whether the response to a question was stored less than minInterval ago.
func (c *Cache) recent(q *question, now time.Time) bool {
	v := c.find(q, now)
	return v != nil && now.Sub(v.stored) < minInterval
}

// Get returns the response for a request that no upstream can answer now, nil if there is
// none. The answer to a GET also serves a HEAD.
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

// find returns the latest response that fits a question.
func (c *Cache) find(q *question, now time.Time) *Response {
	for _, v := range slices.Backward(c.variants(q)) {
		if v.suits(q, now) {
			return v
		}
	}
	return nil
}

// variants returns the responses to a question's key, which never change. Judging them
// takes as long as the client's header is large, so it happens without the lock.
func (c *Cache) variants(q *question) []*Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	if res, ok := c.all.Get(q.key.resource()); ok {
		return res.variants
	}
	return nil
}

// prepare computes the digests for the responses to a question's key before the lock is
// held.
func (q *question) prepare(variants []*Response) {
	for _, v := range variants {
		q.digest(v.vary)
	}
}

// Forget drops the responses for a target, for all methods, because the target has
// changed (RFC 9111 section 4.4) or is gone.
func (c *Cache) Forget(k Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k = k.resource()
	for _, k.Method = range []string{http.MethodGet, http.MethodHead} {
		c.all.Remove(k)
	}
}

// Size returns the size of all kept responses, in bytes.
func (c *Cache) Size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// Len returns the number of resources with kept responses.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all.Len()
}
