package config

import (
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// inherit removes the keys of writing from the tree, and gives each pool the defaults that it does not set itself.
func (d *decoder) inherit(root *yaml.Node) {
	if root.Kind != yaml.MappingNode {
		return
	}
	d.take(root, "include") // the included files are in the tree already
	defaults := d.take(root, "defaults")
	if defaults == nil || isNull(defaults) || !d.goodDefaults(defaults) {
		return
	}
	at := valueOf(root, "pools")
	if at < 0 || resolve(root.Content[at]).Kind != yaml.MappingNode {
		return
	}
	pools := *resolve(root.Content[at])
	pools.Content = slices.Clone(pools.Content)
	d.lent = map[*yaml.Node]bool{}
	for i := 1; i < len(pools.Content); i += 2 {
		if pools.Content[i-1].ShortTag() != "!!merge" {
			pools.Content[i] = d.under(pools.Content[i], pools.Content[i-1], defaults, reflect.TypeFor[Pool]())
		}
	}
	root.Content[at] = &pools
}

// goodDefaults decodes the defaults separately, so that a mistake in them is reported once.
func (d *decoder) goodDefaults(n *yaml.Node) bool {
	known := len(d.errs)
	f := fieldsOf(reflect.TypeFor[writing]())[1]
	f.partial = true
	v := reflect.New(f.typ).Elem()
	setDefaults(v)
	d.decode(n, f.key, v, f)
	return len(d.errs) == known
}

// under returns own with the missing keys of defaults. It merges two mappings of settings key by key; all other values
// are indivisible.
func (d *decoder) under(own, key, defaults *yaml.Node, t reflect.Type) *yaml.Node {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if isNull(own) {
		if t == reflect.TypeFor[Pool]() {
			own = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: key.Line, Column: key.Column}
		} else {
			d.lend(defaults)
			return defaults
		}
	}
	mine, theirs := resolve(own), resolve(defaults)
	if t.Kind() != reflect.Struct || isScalar(t) || mine.Kind != yaml.MappingNode || theirs.Kind != yaml.MappingNode {
		return own
	}
	fields := fieldsOf(t)
	if t != reflect.TypeFor[Pool]() && slices.ContainsFunc(fields, func(f field) bool { return f.oneof != "" }) {
		return own // the keys of both would exclude each other
	}
	both := *mine
	both.Anchor, both.Content = "", nil
	quiet := decoder{texts: d.texts, at: positions{}} // decoding the keys reports mistakes later
	given := quiet.entries(mine, "", field{})
	for _, e := range given {
		both.Content = append(both.Content, e.key, e.value)
	}
	for _, e := range quiet.entries(theirs, "", field{}) {
		i := slices.IndexFunc(given, func(g entry) bool { return g.key.Value == e.key.Value })
		at := slices.IndexFunc(fields, func(f field) bool { return f.key == e.key.Value })
		switch {
		case at < 0: // reported later
		case i < 0:
			d.lend(e.value)
			both.Content = append(both.Content, e.key, e.value)
		default:
			both.Content[2*i+1] = d.under(given[i].value, given[i].key, e.value, fields[at].typ)
		}
	}
	if len(quiet.errs) > 0 {
		return own // decoding reports the mistake
	}
	return &both
}

// lend marks a value that a pool inherits from the defaults.
func (d *decoder) lend(n *yaml.Node) {
	d.lent[n] = true
	for _, child := range resolve(n).Content {
		d.lend(child)
	}
}

// Inherited returns the keys that a pool inherits from the defaults, for example retry.attempts, sorted.
func (c *Config) Inherited(pool string) (keys []string) {
	prefix := "pools." + pool + "."
	for path, p := range c.from.at {
		if key, ok := strings.CutPrefix(path, prefix); ok && p.inherited {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.DeleteFunc(keys, func(key string) bool { // it has keys of its own
		return slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, key+".") || strings.HasPrefix(k, key+"[") })
	})
}
