//go:build !minimal

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Setting is a key that the files give, with the public part of its value.
type Setting struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	Inherited bool   `json:"inherited,omitempty"` // from the defaults of all pools
}

// RouteSettings returns the settings of a route in the files, without its name and its
// conditions.
func (c *Config) RouteSettings(i int) []Setting {
	all := c.given(index("routes", i), reflect.ValueOf(c.Routes[i]), field{typ: reflect.TypeFor[Route]()})
	return slices.DeleteFunc(all, func(s Setting) bool { return s.Key == "name" || strings.HasPrefix(s.Key, "match.") })
}

// PoolSettings returns the settings of a pool in the files, without its upstreams.
func (c *Config) PoolSettings(name string) []Setting {
	all := c.given("pools."+name, reflect.ValueOf(c.Pools[name]), field{typ: reflect.TypeFor[Pool]()})
	return slices.DeleteFunc(all, func(s Setting) bool { return strings.HasPrefix(s.Key, "upstreams[") })
}

// Place returns the file and line of a key, "" for a configuration from flags.
func (c *Config) Place(path string) string {
	if len(c.from.files) == 0 {
		return ""
	}
	file, line := c.from.texts.place(c.from.at.of(path).line)
	return fmt.Sprintf("%s:%d", file, line)
}

func (c *Config) given(path string, v reflect.Value, f field) (list []Setting) {
	var walk func(n *yaml.Node, at string)
	walk = func(n *yaml.Node, at string) {
		switch {
		case n.Kind == yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				walk(n.Content[i+1], join(at, n.Content[i].Value))
			}
			return
		case n.Kind == yaml.SequenceNode && n.Style&yaml.FlowStyle == 0:
			for i, item := range n.Content {
				walk(item, index(at, i))
			}
			return
		}
		if p, ok := c.from.at[at]; ok {
			list = append(list, Setting{strings.TrimPrefix(at, path+"."), flat(n), p.inherited})
		}
	}
	walk(dump(v, f), path)
	return list
}

// flat formats a scalar, or a list of them, on one line.
func flat(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return strings.ReplaceAll(n.Value, "\n", " ")
	}
	parts := make([]string, len(n.Content))
	for i, item := range n.Content {
		parts[i] = flat(item)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Condition is one of the conditions of a route.
type Condition struct {
	Key   string // for example path, or headers.X-Env
	Value string // its public part
	Only  Match  // this condition and no other
}

// Conditions returns the conditions one by one.
func (m Match) Conditions() (list []Condition) {
	v := reflect.ValueOf(m)
	none := Match{}
	setDefaults(reflect.ValueOf(&none).Elem())
	for _, f := range fieldsOf(v.Type()) {
		fv := v.Field(f.index)
		if reflect.DeepEqual(fv.Interface(), reflect.ValueOf(none).Field(f.index).Interface()) || fv.Kind() == reflect.Slice && fv.Len() == 0 {
			continue
		}
		if fv.Kind() != reflect.Map {
			list = append(list, only(none, f, f.key, fv))
			continue
		}
		for _, k := range fv.MapKeys() {
			one := reflect.MakeMap(fv.Type())
			one.SetMapIndex(k, fv.MapIndex(k))
			c := only(none, f, join(f.key, k.String()), one)
			c.Value = f.element().tell(fv.MapIndex(k))
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b Condition) int { return strings.Compare(sortedBy(a.Key), sortedBy(b.Key)) })
	return list
}

// sortedBy keeps the order of keys, and sorts the keys below one, because maps have no
// order.
func sortedBy(key string) string {
	if _, below, ok := strings.Cut(key, "."); ok {
		return below
	}
	return ""
}

func only(none Match, f field, key string, v reflect.Value) Condition {
	m := none
	reflect.ValueOf(&m).Elem().Field(f.index).Set(v)
	n := dump(v, f)
	value := ""
	if n != nil && n.Kind != yaml.MappingNode {
		value = flat(n)
	}
	return Condition{Key: key, Value: value, Only: m}
}
