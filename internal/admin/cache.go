package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/printable"
	"github.com/goodgate/goodgate/proxy"
)

// Cache describes the responses that a pool keeps, and their use since the start.
type Cache struct {
	Bytes       int64 `json:"bytes"`
	Limit       int64 `json:"limit_bytes"`
	Resources   int   `json:"resources"`   // URLs with a kept response
	Hits        int64 `json:"hits"`        // requests answered without an upstream
	Stale       int64 `json:"stale"`       // the same, within stale-while-revalidate
	Revalidated int64 `json:"revalidated"` // an upstream confirmed the kept response (304)
	Misses      int64 `json:"misses"`      // an upstream answered
	IfError     int64 `json:"if_error"`    // an older response replaced an error
	Coalesced   int64 `json:"coalesced"`   // of hits and stale: waited for another request
	Stored      int64 `json:"stored"`
	Evicted     int64 `json:"evicted"` // URLs, for lack of memory
	Purged      int64 `json:"purged"`  // URLs
}

func cacheOf(p *proxy.Pool) *Cache {
	c, ok := p.Cache()
	if !ok {
		return nil
	}
	return &Cache{
		Bytes: c.Bytes, Limit: c.MaxSize, Resources: c.Resources, Hits: c.Fresh, Stale: c.Stale, Revalidated: c.Revalidated, Misses: c.Missed,
		IfError: c.IfError, Coalesced: c.Coalesced, Stored: c.Stored, Evicted: c.Evicted, Purged: c.Purged,
	}
}

// Share returns how many requests the cache answered without an upstream, and how many it
// was asked for. A nil cache has none.
func (c *Cache) Share() (answered, all int64) {
	if c == nil {
		return 0, 0
	}
	answered = c.Hits + c.Stale
	return answered, answered + c.Revalidated + c.Misses
}

// Line summarises the cache in one line.
func (c *Cache) Line() string {
	share := "no requests yet"
	if answered, all := c.Share(); all > 0 {
		share = fmt.Sprintf("%.0f%% of %s answered without an upstream", 100*float64(answered)/float64(all), counted(int(all), "request"))
	}
	return fmt.Sprintf("cache: %s; %s, %.1f of %.0f MiB", share, counted(c.Resources, "URL"), float64(c.Bytes)/(1<<20), float64(c.Limit)/(1<<20))
}

// Purge selects kept responses to drop.
type Purge struct {
	Pool string // empty = all
	proxy.CacheSelection
}

// Purged is the answer to DELETE /v1/cache.
type Purged struct {
	Resources int      `json:"resources"` // URLs whose responses were dropped
	Pools     []string `json:"pools"`     // searched pools
}

func (s *Server) cacheEndpoints() []Endpoint {
	return []Endpoint{{
		Pattern: "DELETE /v1/cache", Answers: Purged{}, Handler: s.purge, Refuses: []int{400, 404},
		Query: []Param{
			{"url", "A URL or a path, as in the requests of clients or to the upstream. Without a query string it matches all query strings.", ""},
			{"prefix", "A URL or a path: purges everything below it.", ""},
			{"pool", "The pool; without it, all pools.", ""},
			{"all", "Purges everything, or everything of the pool if that is given. Required without url and prefix.", "boolean"},
			{"why", "The reason, for the log.", ""},
		},
		Does: "Purges cached responses of this instance.",
	}}
}

func (s *Server) purge(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		refuse(w, 400, "the query is malformed")
		return
	}
	p, err := purgeOf(q)
	if err != nil {
		refuse(w, 400, err.Error())
		return
	}
	done := Purged{Pools: []string{}}
	for _, pool := range s.opts.Control.Pools() {
		if _, keeps := pool.Cache(); keeps && (p.Pool == "" || p.Pool == pool.Name()) {
			done.Resources += pool.Purge(p.CacheSelection)
			done.Pools = append(done.Pools, pool.Name())
		}
	}
	switch {
	case p.Pool != "" && !s.hasPool(p.Pool):
		refuse(w, 404, s.noPool(p.Pool))
		return
	case len(done.Pools) == 0:
		refuse(w, 404, "nothing to purge: cache and stale are off")
		return
	}
	s.opts.Control.Purged(p, done, authorOf(r), printable.Text(q.Get("why")))
	reply(w, 200, done)
}

// purgeOf reads the parameters of an order. A missing parameter must not mean everything.
func purgeOf(q url.Values) (p Purge, err error) {
	p.Pool = q.Get("pool")
	all, err := strconv.ParseBool(q.Get("all"))
	if err != nil && q.Has("all") {
		return p, errors.New("all must be true or false")
	}
	for name := range q {
		if !slices.Contains([]string{"url", "prefix", "pool", "all", "why"}, name) {
			return p, fmt.Errorf("unknown parameter %q: expected url, prefix, pool, all or why", name)
		}
	}
	given := 0
	for _, name := range []string{"url", "prefix"} {
		if !q.Has(name) {
			continue
		}
		given++
		if p.CacheSelection, err = selection(q.Get(name), name == "prefix"); err != nil {
			return p, fmt.Errorf("%s: %w", name, err)
		}
	}
	switch {
	case given > 1 || given == 1 && all:
		return p, errors.New("expected one of url, prefix and all")
	case given == 0 && !all:
		return p, errors.New("say what to purge: url, prefix, or all=true")
	}
	return p, nil
}

// selection parses a URL, or a path of any host.
func selection(text string, prefix bool) (s proxy.CacheSelection, err error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || text == "":
		return s, errors.New("expected a URL such as https://example.com/a, or a path such as /a")
	case u.Host == "" && !strings.HasPrefix(text, "/"):
		return s, fmt.Errorf("found %q: expected https://host/path, or a path that begins with a slash", text)
	case u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https":
		return s, fmt.Errorf("found %q: expected http or https", text)
	case prefix && (u.RawQuery != "" || u.ForceQuery):
		return s, errors.New("a prefix cannot have a query string")
	}
	s.Host, s.Path, s.Prefix = strings.ToLower(u.Host), u.RequestURI(), prefix
	return s, nil
}

// Purged records that an operator has dropped kept responses.
func (j *Journal) Purged(pool, text string) {
	j.line.note(Event{Time: time.Now(), Kind: evPurge, Pool: pool, Text: text})
}
