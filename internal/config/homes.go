package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/goodgate/goodgate/internal/similar"
)

// This file suggests a known key for an unknown one. hint tries, in this order: a key of
// the same mapping, the words of other programs, the same name in another place, and a
// similar name in another place.

// home is a place that has a key.
type home struct {
	keys []string // names from the top level: pools, upstreams, weight
	path string   // for messages: pools.NAME.upstreams[N].weight
}

func (h home) name() string { return h.keys[len(h.keys)-1] }

// homes are all keys of a configuration.
var homes = sync.OnceValue(func() (all []home) {
	var walk func(t reflect.Type, keys []string, path string)
	walk = func(t reflect.Type, keys []string, path string) {
		for _, f := range fieldsOf(t) {
			at, e := home{append(slices.Clone(keys), f.key), join(path, f.key)}, f
			all = append(all, at)
			for !isScalar(e.typ) && e.typ.Kind() != reflect.Struct {
				switch e.typ.Kind() {
				case reflect.Slice:
					at.path += "[N]"
				case reflect.Map:
					at.path += ".NAME"
				}
				e = e.element()
			}
			if !isScalar(e.typ) && !f.nested {
				walk(e.typ, at.keys, at.path)
			}
		}
	}
	walk(reflect.TypeFor[Config](), nil, "")
	return all
})

// homeOf returns the home that a meaning names, such as pools.*.upstreams[*].weight.
func homeOf(is string) home {
	path := strings.NewReplacer("pools.*", "pools.NAME", "[*]", "[N]").Replace(is)
	return home{mappingAt(path).keys, path}
}

// mapping is a place in a file that has keys.
type mapping struct {
	keys  []string // as in home
	parts []string // the same keys with names and indexes: pools.app, upstreams[0]
}

// mappingAt returns the mapping at a path. The keys of defaults are those of a pool.
func mappingAt(path string) (m mapping) {
	if path == "" {
		return m
	}
	parts := strings.Split(path, ".")
	if parts[0] == "pools" && len(parts) > 1 {
		parts = append([]string{"pools." + parts[1]}, parts[2:]...)
	}
	for _, part := range parts {
		key, _, _ := strings.Cut(part, "[")
		switch {
		case strings.HasPrefix(key, "pools."), m.keys == nil && key == "defaults":
			key = "pools"
		}
		m.keys = append(m.keys, key)
	}
	m.parts = parts
	return m
}

// steps returns the way from the mapping to a home: up to the mapping that contains both,
// and down from there.
func (m mapping) steps(h home) (up, down int) {
	common := 0
	for common < len(m.keys) && common < len(h.keys)-1 && m.keys[common] == h.keys[common] {
		common++
	}
	return len(m.keys) - common, len(h.keys) - common
}

// rank compares homes for a key that stands in this mapping: the least rank is the
// likeliest home, and without ok the home is unlikely. The keys below the mapping come
// first, then those of a section with the mapping's name, then the keys around the mapping.
// Of all others, only settings of a listener, a route, a pool or another section of the
// file count.
func (m mapping) rank(h home) (rank [3]int, ok bool) {
	up, down := m.steps(h)
	n, k := len(m.keys), len(h.keys)
	switch {
	case up == 0:
		return [3]int{0, down}, true
	case n > 1 && k > 1 && h.keys[k-2] == m.keys[n-1]:
		return [3]int{1, up, down}, true
	}
	return [3]int{2, up, down}, up == 1 || down == 1 || up == n && k == 2
}

// find returns the likeliest homes of a key that stands in this mapping; none if there are
// more than three. If more than three sections have the name, a home deep in another section
// is no better than any other.
func (m mapping) find(name string) (best []home, rank [3]int) {
	all := 0
	for _, h := range homes() {
		if h.name() != name {
			continue
		}
		all++
		r, ok := m.rank(h)
		switch order := slices.Compare(r[:], rank[:]); {
		case !ok || best != nil && order > 0:
		case best != nil && order == 0:
			best = append(best, h)
		default:
			best, rank = []home{h}, r
		}
	}
	if len(best) > 3 || all > 3 && rank[0] == 2 && rank[2] > 2 {
		return nil, rank
	}
	return best, rank
}

// findSimilar is find for a misspelt key. It allows one mistake, and two in a long word.
func (m mapping) findSimilar(word string) (best []home) {
	if len(word) < 4 || len(word) > 64 {
		return nil
	}
	most, least := 1+len(word)/9, [4]int{}
	for _, h := range homes() {
		switch d := similar.Distance(fold(word), h.name()); {
		case d == 0:
			return nil // a known key, but none near this place
		case d <= most:
			found, rank := m.find(h.name())
			order := [4]int{d, rank[0], rank[1], rank[2]}
			if found != nil && (best == nil || slices.Compare(order[:], least[:]) < 0) {
				best, least = found, order
			}
		}
	}
	return best
}

// name returns the path of a home for a message about this mapping: relative if the home is
// below it.
func (m mapping) name(h home) string {
	up, _ := m.steps(h)
	common := len(m.keys) - up
	parts := mappingAt(h.path).parts
	switch {
	case up == 0:
		return strings.Join(parts[common:], ".")
	case len(parts) == 1:
		return h.path + " at the top level"
	}
	return strings.Join(append(slices.Clone(m.parts[:common]), parts[common:]...), ".")
}

// question returns the suggestion of these homes for a message. A pool's setting at the top
// level may be meant for all pools.
func (m mapping) question(list ...home) string {
	var names, ofPools []string
	for _, h := range list {
		if m.keys == nil && len(h.keys) > 1 && h.keys[0] == "pools" && h.keys[1] != "upstreams" {
			ofPools = append(ofPools, h.path)
		} else {
			names = append(names, m.name(h))
		}
	}
	names = append(names, ofPools...)
	if len(ofPools) == 1 {
		names = append(names, "or defaults"+strings.TrimPrefix(ofPools[0], "pools.NAME")+" for all pools")
		return fmt.Sprintf(" (did you mean %s?)", strings.Join(names, ", "))
	}
	text := names[len(names)-1]
	if n := len(names) - 1; n > 0 {
		text = strings.Join(names[:n], ", ") + " or " + text
	}
	return fmt.Sprintf(" (did you mean %s?)", text)
}

// hint returns the end of a message about an unknown key in the mapping at path, which has
// these fields. key is the field that contains the suggested key; "" = none of them.
func hint(word, path string, fields []field) (text, key string) {
	known := keysOf(fields)
	if name, _, lacksSpace := strings.Cut(word, ":"); lacksSpace && slices.Contains(known, name) {
		return fmt.Sprintf("; a space is missing after the colon of %s", name), name
	}
	m := mappingAt(path)
	near := nearest(word, known)
	is, hasMeaning := meant(word, path)
	same, rank := m.find(word)
	if same == nil {
		same, rank = m.find(fold(snake(word)))
	}
	close := near != "" && similar.Distance(fold(near), fold(word)) <= 1
	switch {
	case near != "" && (fold(near) == fold(word) || !hasMeaning && (close || same == nil || rank[0] == 2)):
		return fmt.Sprintf(" (did you mean %s?)", near), near
	case hasMeaning && strings.HasPrefix(is, " "):
		return ";" + is, ""
	case hasMeaning:
		h := homeOf(is)
		return m.question(h), m.through(h)
	case slices.Contains(known, "set") && !slices.Contains(known, "status") && isToken(word):
		return fmt.Sprintf(" (did you mean set: {%s: VALUE}?)", keyTold(word)), ""
	case same != nil:
		if path != "" {
			key = m.through(same[0])
		}
		return m.question(same...), key
	}
	if list := m.findSimilar(word); list != nil {
		return m.question(list...), ""
	}
	return "; known here: " + strings.Join(known, ", "), ""
}

// through returns the key of the mapping that leads to a home; "" if none does.
func (m mapping) through(h home) string {
	if up, down := m.steps(h); up == 0 {
		return h.keys[len(h.keys)-down]
	}
	return ""
}
