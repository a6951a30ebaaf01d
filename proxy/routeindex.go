package proxy

import (
	"slices"
	"strings"
)

// routeIndex finds the routes that may match a request by its host and path, so that
// goodgate need not check thousands of routes. It yields the candidates in the order of
// the routes, which decides. It is immutable.
type routeIndex struct {
	exact map[string]*pathIndex // by host, in lower case
	below map[string]*pathIndex // by the rest of a pattern after its *, for example .example.com
	any   pathIndex             // routes for all hosts
}

// pathIndex holds the routes of one host.
type pathIndex struct {
	exact   map[string][]int32
	prefix  map[string][]int32
	lengths []int   // lengths of the prefixes, ascending
	rest    []int32 // routes without a path
}

// leastIndexed is the least number of routes for which an index is worthwhile.
const leastIndexed = 48

// newRouteIndex returns an index, nil for few routes.
func newRouteIndex(routes []Route) *routeIndex {
	if len(routes) < leastIndexed {
		return nil
	}
	x := &routeIndex{exact: map[string]*pathIndex{}, below: map[string]*pathIndex{}}
	for i := range routes {
		m := &routes[i].Match
		if len(m.Hosts) == 0 {
			x.any.add(m, int32(i))
		}
		for _, pattern := range m.Hosts {
			at := x.exact
			pattern = strings.ToLower(pattern)
			if suffix, wild := strings.CutPrefix(pattern, "*"); wild {
				at, pattern = x.below, suffix
			}
			if at[pattern] == nil {
				at[pattern] = new(pathIndex)
			}
			at[pattern].add(m, int32(i))
		}
	}
	return x
}

func (p *pathIndex) add(m *Match, i int32) {
	path, prefix := m.Path, m.fixedPrefix()
	wild := prefix != path
	switch {
	case path == "":
		p.rest = append(p.rest, i)
		return
	case !wild:
		if p.exact == nil {
			p.exact = map[string][]int32{}
		}
		p.exact[path] = append(p.exact[path], i)
		return
	case p.prefix == nil:
		p.prefix = map[string][]int32{}
	}
	p.prefix[prefix] = append(p.prefix[prefix], i)
	if at, known := slices.BinarySearch(p.lengths, len(prefix)); !known {
		p.lengths = slices.Insert(p.lengths, at, len(prefix))
	}
}

// candidates are lists of route indices, each in order.
type candidates [][]int32

func (c candidates) with(list []int32) candidates {
	if len(list) > 0 {
		c = append(c, list)
	}
	return c
}

func (p *pathIndex) collect(path string, c candidates) candidates {
	if p == nil {
		return c
	}
	c = c.with(p.rest).with(p.exact[path])
	for _, n := range p.lengths {
		if n > len(path) {
			break
		}
		c = c.with(p.prefix[path[:n]])
	}
	return c
}

// next removes the first route from all lists. ok is false when none is left.
func (c candidates) next() (i int, ok bool) {
	first := int32(-1)
	for _, list := range c {
		if len(list) > 0 && (first < 0 || list[0] < first) {
			first = list[0]
		}
	}
	if first < 0 {
		return 0, false
	}
	for i, list := range c {
		if len(list) > 0 && list[0] == first { // a route may be in several lists
			c[i] = list[1:]
		}
	}
	return int(first), true
}

// of adds the routes that may match a request to c.
func (x *routeIndex) of(host, path string, c candidates) candidates {
	host = hostname(host)
	c = x.exact[host].collect(path, x.any.collect(path, c))
	if len(x.below) == 0 {
		return c
	}
	for at := 1; at <= len(host); at++ { // a * stands for at least one character
		c = x.below[host[at:]].collect(path, c)
	}
	return c
}
