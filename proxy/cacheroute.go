package proxy

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/stale"
)

// RouteCache is how a route uses what its pool keeps. The zero value is as the pool's options and the responses say.
type RouteCache struct {
	Off   bool       // nothing is kept of this route, and nothing kept answers before an upstream
	Rules CacheRules // for what is kept
	// IgnoreQuery are parameters of the query that do not decide the answer, such as
	// utm_source; one that ends in * stands for all that begin so. "*" stands for the whole query.
	IgnoreQuery []string
}

// CacheRules are what an operator says of a route's responses.
type CacheRules = stale.Rules

// target returns the part of a target that decides the answer.
func (c *RouteCache) target(target string) string {
	path, query, ok := strings.Cut(target, "?")
	if len(c.IgnoreQuery) == 0 || !ok {
		return target
	}
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		if !slices.ContainsFunc(c.IgnoreQuery, func(ignored string) bool { return ignores(ignored, name) }) {
			kept = append(kept, part)
		}
	}
	if len(kept) == 0 {
		return path
	}
	return path + "?" + strings.Join(kept, "&")
}

// ignores compares a name as it was sent: an escaped one is another, which costs a hit and
// nothing else.
func ignores(ignored, name string) bool {
	start, all := strings.CutSuffix(ignored, "*")
	return name == ignored || all && strings.HasPrefix(name, start)
}
