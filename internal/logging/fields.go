package logging

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/goodgate/goodgate/internal/similar"
	"github.com/goodgate/goodgate/proxy"
)

// Fields changes the fields of a request's record. The zero value changes nothing.
type Fields struct {
	Add        map[string]string // texts with variables in braces, by the field's name; empty values are left out
	Remove     []string
	Rename     map[string]string // the new name, by the original one
	Unredacted []string          // headers, cookies and parameters to show although their names look like secrets
}

// empty reports whether there are no changes.
func (f Fields) empty() bool { return len(f.Add)+len(f.Remove)+len(f.Rename) == 0 }

// fixed are the fields of every record, which readers rely on.
var fixed = []string{"time", "level", "msg"}

// FieldError is an error about one key of Fields.
type FieldError struct {
	Key  string // such as add.user_agent
	text string
}

func (e FieldError) Error() string { return e.text }

// added is a field with its text.
type added struct {
	name string
	text *template
}

// compile returns the additional fields, in order.
func (f Fields) compile() ([]added, error) {
	d, own := newRedactor(f.Unredacted), proxy.LogFields()
	taken := map[string]bool{}
	for _, name := range slices.Concat(own, fixed) {
		taken[name] = true
	}
	for _, name := range f.Remove {
		if err := isOwn("remove", name, own); err != nil {
			return nil, err
		}
		delete(taken, name)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Rename)) {
		if err := isOwn("rename."+name, name, own); err != nil {
			return nil, err
		}
		delete(taken, name)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Rename)) {
		to := f.Rename[name]
		if taken[to] {
			return nil, FieldError{"rename." + name, fmt.Sprintf("%s: records have a field of this name", to)}
		}
		taken[to] = true
	}
	var list []added
	for _, name := range slices.Sorted(maps.Keys(f.Add)) {
		if taken[name] {
			return nil, FieldError{"add." + name, "records have a field of this name: remove or rename it, or choose another"}
		}
		t, err := parseBraces(f.Add[name], d)
		if err != nil {
			return nil, FieldError{"add." + name, err.Error()}
		}
		list = append(list, added{name, t})
	}
	return list, nil
}

// isOwn returns an error if name is not a field that can be changed.
func isOwn(key, name string, own []string) error {
	switch {
	case slices.Contains(own, name):
		return nil
	case slices.Contains(fixed, name):
		return FieldError{key, fmt.Sprintf("%s: time, level and msg stay as they are: programs that read logs rely on them", name)}
	}
	hint := ""
	if near := similar.Nearest(name, own); near != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return FieldError{key, fmt.Sprintf("%s: records have no such field%s", name, hint)}
}

// edits returns the functions that make the changes; none without changes.
func (f Fields) edits(known map[string]string) ([]proxy.LogEdit, error) {
	list, err := f.compile()
	if err != nil || f.empty() && known == nil {
		return nil, err
	}
	names := map[string]string{} // the name in the record; empty for a removed field
	maps.Copy(names, known)
	maps.Copy(names, f.Rename)
	for _, name := range f.Remove {
		names[name] = ""
	}
	return []proxy.LogEdit{func(r *proxy.Record, attrs []slog.Attr) []slog.Attr {
		kept := attrs[:0]
		for _, a := range attrs {
			if name, ok := names[a.Key]; ok {
				a.Key = name
			}
			if a.Key != "" {
				kept = append(kept, a)
			}
		}
		return appendAdded(kept, list, r)
	}}, nil
}

// appendAdded appends the additional fields that have a value.
func appendAdded(attrs []slog.Attr, list []added, r *proxy.Record) []slog.Attr {
	if len(list) == 0 {
		return attrs
	}
	var room [256]byte
	for _, f := range list {
		if v := f.text.render(room[:0], r, asIs); len(v) > 0 {
			attrs = append(attrs, slog.String(f.name, string(v)))
		}
	}
	return attrs
}

// asIs leaves the escaping to the writer of the field.
var asIs = escape{append: func(b, raw []byte) []byte { return append(b, raw...) }}
