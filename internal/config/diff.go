package config

import (
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/duration"
)

// Change is one difference between two configurations.
type Change struct {
	Path string // path of the key; list entries by their names: routes[api].timeout
	What string // "3 -> 5", "added", "removed", "changed" for possible secrets, "order changed"
}

func (c Change) String() string { return c.Path + ": " + c.What }

// Diff returns the differences of b from a, in the order of the keys. A group that was
// added or removed as a whole is one change.
func Diff(a, b *Config) []Change {
	var d differ
	d.values("", field{typ: reflect.TypeFor[Config]()}, reflect.ValueOf(*a), reflect.ValueOf(*b))
	return d.changes
}

type differ struct{ changes []Change }

func (d *differ) add(path, what string) { d.changes = append(d.changes, Change{path, what}) }

func (d *differ) values(path string, f field, a, b reflect.Value) {
	switch t := a.Type(); {
	case isScalar(t):
		d.scalars(path, f, a, b)
	case t.Kind() == reflect.Struct:
		for _, f := range fieldsOf(t) {
			d.values(join(path, f.key), f, a.Field(f.index), b.Field(f.index))
		}
	case t.Kind() == reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			d.presence(path, !a.IsNil(), !b.IsNil())
			return
		}
		d.values(path, f, a.Elem(), b.Elem())
	case t.Kind() == reflect.Map:
		d.maps(path, f, a, b)
	case isScalar(t.Elem()):
		d.scalars(path, f.element(), a, b)
	default:
		d.lists(path, f, a, b)
	}
}

func (d *differ) presence(path string, before, after bool) {
	switch {
	case before && !after:
		d.add(path, "removed")
	case after && !before:
		d.add(path, "added")
	}
}

// scalars compares values, or lists of them.
func (d *differ) scalars(path string, f field, a, b reflect.Value) {
	if reflect.DeepEqual(a.Interface(), b.Interface()) || a.Kind() == reflect.Slice && a.Len()+b.Len() == 0 {
		return
	}
	before, after := f.tell(a), f.tell(b)
	if before == after { // the difference is hidden
		d.add(path, "changed")
		return
	}
	d.add(path, before+" -> "+after)
}

func (d *differ) maps(path string, f field, a, b reflect.Value) {
	keys := map[string]bool{}
	for _, m := range []reflect.Value{a, b} {
		for _, k := range m.MapKeys() {
			if p, ok := m.MapIndex(k).Interface().(Pool); !ok || !p.implied { // otherwise the other key shows the difference
				keys[k.String()] = true
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		at := join(path, k)
		before, after := a.MapIndex(reflect.ValueOf(k)), b.MapIndex(reflect.ValueOf(k))
		if !before.IsValid() || !after.IsValid() {
			d.presence(at, before.IsValid(), after.IsValid())
			continue
		}
		d.values(at, f.element(), before, after)
	}
}

// lists compares lists of structs. It matches entries by name, so that a new entry at the
// front does not change all others.
func (d *differ) lists(path string, f field, a, b reflect.Value) {
	before, after := entries(a), entries(b)
	var kept []string
	for _, name := range before.names {
		at := path + "[" + name + "]"
		if i, ok := after.at[name]; ok {
			kept = append(kept, name)
			d.values(at, f.element(), a.Index(before.at[name]), b.Index(i))
			continue
		}
		d.add(at, "removed")
	}
	var common []string
	for _, name := range after.names {
		if _, ok := before.at[name]; ok {
			common = append(common, name)
			continue
		}
		d.add(path+"["+name+"]", "added")
	}
	if !slices.Equal(kept, common) {
		d.add(path, "order changed")
	}
}

// entryNames are the entries of a list by name.
type entryNames struct {
	names []string
	at    map[string]int
}

func entries(list reflect.Value) entryNames {
	e := entryNames{at: map[string]int{}}
	for i := range list.Len() {
		name := knownBy(list.Index(i).Interface())
		for n := 2; ; n++ {
			if _, taken := e.at[name]; !taken {
				break
			}
			name = fmt.Sprintf("%s#%d", strings.TrimSuffix(name, fmt.Sprintf("#%d", n-1)), n)
		}
		e.names = append(e.names, name)
		e.at[name] = i
	}
	return e
}

// knownBy returns the name by which people know an entry.
func knownBy(entry any) string {
	switch e := entry.(type) {
	case Listener:
		return e.Address
	case Route:
		return e.Name
	case Upstream:
		return strings.TrimPrefix(e.Source(), "url: ")
	case Certificate:
		return e.Cert
	case Rate:
		return e.Name
	}
	return ""
}

// tell formats a scalar, or a list of them, as in a file.
func (f field) tell(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = f.tell(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if v.Kind() == reflect.String && v.Len() == 0 {
		return `""`
	}
	return f.told(text(v))
}

// text formats a scalar.
func text(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Duration:
		return duration.Text(x)
	case string:
		return x
	}
	if mode, ok := v.Interface().(fs.FileMode); ok {
		return fmt.Sprintf("%04o", mode)
	}
	return fmt.Sprint(v.Interface())
}
