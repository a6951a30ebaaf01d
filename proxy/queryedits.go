package proxy

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
)

// QueryEdits change the query for the upstream: first Remove, then Set, then Add. The
// other parameters stay as the client sent them. Values may contain variables. If a value
// with variables becomes empty, Set removes the parameter, and Add adds none. nil changes
// nothing.
type QueryEdits struct {
	Set, Add map[string]string // by decoded name
	Remove   []string          // decoded names

	dropped map[string]bool // the names in Remove and Set
	added   []parameter     // of Set, then of Add, by name
}

type parameter struct {
	name string // encoded
	text pieces
}

// prepared returns a compiled copy; nil for nil.
func (e *QueryEdits) prepared() *QueryEdits {
	if e == nil {
		return nil
	}
	e = new(*e)
	e.dropped, e.added = map[string]bool{}, nil
	for _, name := range e.Remove {
		e.dropped[name] = true
	}
	for _, values := range []map[string]string{e.Set, e.Add} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			e.added = append(e.added, parameter{url.QueryEscape(name), parameterText(values[name])})
		}
	}
	for name := range e.Set {
		e.dropped[name] = true
	}
	return e
}

// parameterText compiles the value of a parameter.
func parameterText(text string) (list pieces) {
	parts, _ := vars.Parse(text)
	for _, v := range parts {
		list = list.with(v, url.QueryEscape(v.Plain))
	}
	return list
}

// editQuery applies the route's edits to a target, except to OPTIONS *.
func (x *exchange) editQuery(u *url.URL) {
	e := x.route.RequestQuery
	if e == nil || u.Path == "*" {
		return
	}
	kept := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(part string) bool {
		name, _, _ := strings.Cut(part, "=")
		return part == "" || e.dropped[decodedName(name)]
	})
	f := found{x: x}
	for _, p := range e.added {
		if value := f.newQuery(p.text); value != "" || len(p.text) == 0 {
			kept = append(kept, p.name+"="+value)
		}
	}
	u.RawQuery, u.ForceQuery = strings.Join(kept, "&"), false
}

func decodedName(name string) string {
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}
