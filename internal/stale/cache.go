package stale

import (
	"bytes"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Options bound a [Cache].
type Options struct {
	MaxSize int64         // bytes of all that is kept
	IfError time.Duration // how long a response that does not say so itself may be used past its freshness; 0 = not at all
}

// Key says which responses may stand for each other.
type Key struct {
	Method string // GET, or HEAD
	Route  string // routes may change a request each in its own way
	Scheme string
	Host   string
	Target string // path and query
}

const (
	// A resource that is asked for all the time is not stored anew each time.
	minInterval = time.Second

	// maxVariants bounds the responses to one key that differ by Vary.
	maxVariants = 16
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
	c := &Cache{opts: o}
	// The bound on bytes is reached first: no entry takes less than overhead.
	all, err := simplelru.NewLRU(int(o.MaxSize/overhead)+1, func(_ Key, r *resource) { c.size -= r.size })
	if err != nil {
		panic(err) // of a size that is not positive
	}
	c.all = all
	return c
}

// Put keeps a response with its whole body, if it may be kept. It copies what it
// keeps.
func (c *Cache) Put(k Key, request http.Header, res *http.Response, body []byte, now time.Time) {
	if k.Method != http.MethodGet && k.Method != http.MethodHead || c.recent(k, request, now) {
		return
	}
	r := judge(request, res, c.opts.IfError, now)
	if r == nil {
		if res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone {
			c.Forget(k)
		}
		return
	}
	r.Header, r.Body = res.Header.Clone(), bytes.Clone(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(k, request, r)
}

// put adds a response in the place of the one it replaces. Called with mu held.
func (c *Cache) put(k Key, request http.Header, r *Response) {
	if r.size() > c.opts.MaxSize {
		return
	}
	next := &resource{}
	if old, ok := c.all.Peek(k); ok {
		next.variants = slices.DeleteFunc(slices.Clone(old.variants), func(v *Response) bool {
			return v.selects(request) || !r.stored.Before(v.until)
		})
		if n := len(next.variants); n >= maxVariants {
			next.variants = next.variants[n-maxVariants+1:]
		}
	}
	next.variants = append(next.variants, r)
	next.size = int64(len(k.Route) + len(k.Host) + len(k.Target))
	for _, v := range next.variants {
		next.size += v.size()
	}
	c.all.Remove(k)
	c.all.Add(k, next)
	c.size += next.size
	for c.size > c.opts.MaxSize {
		c.all.RemoveOldest()
	}
}

// recent reports whether the response to a request was stored a moment ago.
func (c *Cache) recent(k Key, request http.Header, now time.Time) bool {
	v := c.find(k, func(v *Response) bool { return v.suits(request, now) })
	return v != nil && now.Sub(v.stored) < minInterval
}

// Get returns the response for a request that nobody can answer now, nil when
// there is none. The answer to a GET serves a HEAD too.
func (c *Cache) Get(k Key, request http.Header, now time.Time) *Response {
	if k.Method != http.MethodGet && k.Method != http.MethodHead || !takesPart(request) || parseControl(request["Cache-Control"]).noCache {
		return nil
	}
	suits := func(v *Response) bool { return v.suits(request, now) }
	r := c.find(k, suits)
	if r == nil && k.Method == http.MethodHead {
		k.Method = http.MethodGet
		r = c.find(k, suits)
	}
	return r
}

// find returns the latest response to a key for which ok holds.
func (c *Cache) find(k Key, ok func(*Response) bool) *Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	res, _ := c.all.Get(k)
	if res == nil {
		return nil
	}
	for _, v := range slices.Backward(res.variants) {
		if ok(v) {
			return v
		}
	}
	return nil
}

// Forget drops what is kept of a target, whatever the method: it has changed
// (RFC 9111 section 4.4), or is gone.
func (c *Cache) Forget(k Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
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
