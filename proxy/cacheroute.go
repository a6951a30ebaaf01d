package proxy

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/stale"
)

// RouteCache sets how a route uses the responses that its pool keeps. With the zero
// value, the pool's options and the responses decide.
type RouteCache struct {
	Off   bool       // keep no responses of this route, and ask an upstream for every request
	Rules CacheRules // for the kept responses
	// IgnoreQuery are query parameters that do not affect the answer, for example
	// utm_source. A name with * at its end stands for all names that begin with it. "*"
	// stands for the whole query.
	IgnoreQuery []string
}

// CacheRules are an operator's rules for the responses of a route.
type CacheRules = stale.Rules

// target returns the part of a request target that affects the answer.
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

// ignores compares a name in its encoded form. So an escaped name does not match, which
// only costs a hit.
func ignores(ignored, name string) bool {
	start, all := strings.CutSuffix(ignored, "*")
	return name == ignored || all && strings.HasPrefix(name, start)
}
