package convert

import (
	"maps"
	"regexp"
	"strings"
)

// headerTerms returns the terms of headers. One of the values must be present. null
// requires that the header is absent, an empty list that it is present.
func headerTerms(m *tree) ([]term, bool) {
	return valueTerms(m, func(name string) bool { return isToken(name) && !strings.EqualFold(name, "Host") }, func(c *conditions, name, value string) {
		begin, begins := strings.CutPrefix(value, "*")
		part, ends := strings.CutSuffix(begin, "*")
		re := regexp.QuoteMeta(part)
		switch {
		case value == "*":
			c.headers = map[string]string{name: "*"}
		case begins && ends:
			c.ask(askHeaderRegexp, name, "(?s)"+re)
		case begins:
			c.ask(askHeaderRegexp, name, re+"$")
		case ends:
			c.ask(askHeaderRegexp, name, "^"+re)
		default:
			c.valued(askHeaderRegexp, name, value)
		}
	})
}

// queryTerms returns the terms of parameters. Without parameters the query must be
// empty, which a route cannot express.
func queryTerms(m *tree) ([]term, bool) {
	all, ok := valueTerms(m, isParameter, func(c *conditions, name, value string) {
		if value == "*" {
			c.ask(askQuery, name, "*")
		} else {
			c.valued(askQueryRegexp, name, value)
		}
	})
	return all, ok && len(m.keys) > 0
}

// valueTerms returns the terms of names that must each have one of some values.
func valueTerms(m *tree, named func(string) bool, ask func(c *conditions, name, value string)) ([]term, bool) {
	all := []term{{}}
	for _, name := range m.keys {
		v := m.get(name)
		if !named(name) {
			return nil, false
		}
		var some []term
		values := v.strs()
		switch {
		case v.null:
			there := conditions{}
			ask(&there, name, "*")
			some = []term{{hasNot: []conditions{there}}}
		case len(v.items) == 0 && v.text == "":
			values = []string{"*"}
		}
		for _, value := range values {
			if strings.Contains(value, "{") || !isValue(value) {
				return nil, false
			}
			var c conditions
			ask(&c, name, value)
			some = append(some, term{has: c})
		}
		var ok bool
		if all, ok = both(all, some); !ok {
			return nil, false
		}
	}
	return all, true
}

// headerPatterns returns the terms of regular expressions for headers. Their groups are
// not available in rewrites.
func headerPatterns(m *tree, d *draft) ([]term, bool) {
	var c conditions
	d.captures = maps.Clone(d.captures)
	for _, name := range m.keys {
		of := m.get(name)
		re, ok := expression(of.str("pattern"), false)
		if !ok || !isToken(name) || strings.EqualFold(name, "Host") || strings.Contains(re, "{http.") {
			return nil, false
		}
		if what := (asked{askHeaderRegexp, name}); c.spelled(what) != what {
			return nil, false // a route has one expression for each header
		}
		c.ask(askHeaderRegexp, name, re)
		delete(d.captures, of.str("name"))
		delete(d.captures, "")
	}
	return []term{{has: c}}, len(m.keys) > 0
}
