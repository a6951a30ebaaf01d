package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// decoder walks a node tree together with the structs that it fills. It records every mistake and continues.
type decoder struct {
	texts  *texts // the files; nil without any
	env    func(string) (string, bool)
	at     positions
	lent   map[*yaml.Node]bool // values that pools inherit from the defaults
	meant  []string            // keys in at that an unknown key probably means
	errs   Errors
	doubts Errors // warnings
}

// entry is one key of a mapping.
type entry struct{ key, value *yaml.Node }

func (d *decoder) errorf(n *yaml.Node, path, format string, args ...any) {
	d.errs = append(d.errs, Error{Line: n.Line, Column: n.Column, Path: path, Message: fmt.Sprintf(format, args...)})
}

// decode sets v from n. A null leaves structs, lists and maps at their defaults.
func (d *decoder) decode(n *yaml.Node, path string, v reflect.Value, f field) {
	n = resolve(n)
	if tag := n.ShortTag(); n.Style&yaml.TaggedStyle != 0 && !strings.HasPrefix(tag, "!!") {
		what := "tag " + tag
		if f.holdsSecrets() {
			what = "a tag" // it may be a password without quotes
		}
		d.errorf(n, path, "%s is not supported: put text that begins with ! in quotes", what)
		return
	}
	t := v.Type()
	switch {
	case isScalar(t):
		d.scalar(n, path, v, f)
	case isNull(n):
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		setDefaults(v.Elem())
		d.decode(n, path, v.Elem(), f)
	case t.Kind() == reflect.Struct:
		d.structure(n, path, v, f)
	case t.Kind() == reflect.Map:
		d.mapping(n, path, v, f)
	case t.Kind() == reflect.Slice:
		d.list(n, path, v, f)
	}
}

// note records where a key was given; null counts as not given.
func (d *decoder) note(path string, e entry) {
	if isNull(e.value) {
		return
	}
	n := e.value
	// A block mapping or list starts on a later line than its key, but readers look at the key.
	if e.key != nil && n.Kind != yaml.ScalarNode && n.Kind != yaml.AliasNode && n.Style&yaml.FlowStyle == 0 {
		n = e.key
	}
	d.at[path] = position{n.Line, n.Column, d.lent[e.value]}
}

func (d *decoder) structure(n *yaml.Node, path string, v reflect.Value, f field) {
	fields := f.fieldsOf(v.Type())
	if i := slices.IndexFunc(fields, func(f field) bool { return f.shorthand }); i >= 0 && (n.Kind == fields[i].shorthandKind() || fields[i].single && n.Kind == yaml.ScalarNode) {
		child := join(path, fields[i].key)
		d.note(child, entry{value: n})
		d.decode(n, child, v.Field(i), fields[i])
		return
	}
	if n.Kind != yaml.MappingNode {
		if like := f.asMapping(n); like != "" {
			d.errorf(n, path, "found %s: write %s", f.kindOf(n), like)
			return
		}
		d.errorf(n, path, "found %s: expected a mapping with the keys %s", f.kindOf(n), strings.Join(keysOf(fields), ", "))
		return
	}
	for _, e := range d.entries(n, path, f) {
		child := join(path, e.key.Value)
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.key.Value })
		if i < 0 {
			d.unknownKey(e.key, path, fields)
			continue
		}
		d.note(child, e)
		d.decode(e.value, child, v.Field(i), fields[i])
	}
	if !f.partial {
		d.checkPresence(n, path, fields)
	}
}

// unknownKey reports an unknown key, once. The key that it probably means then does not count as missing.
func (d *decoder) unknownKey(key *yaml.Node, path string, fields []field) {
	word := key.Value
	if path == "" {
		fields = append(fields, fieldsOf(reflect.TypeFor[writing]())...)
	}
	text, meant := hint(word, path, fields)
	if at := join(path, meant); meant != "" && !d.at.given(at) {
		d.at[at] = position{line: key.Line, column: key.Column}
		d.meant = append(d.meant, at)
	}
	d.errorf(key, join(path, keyTold(word)), "unknown key%s", text)
}

// checkPresence reports missing keys of a mapping.
func (d *decoder) checkPresence(n *yaml.Node, path string, fields []field) {
	at := n
	if p := d.at.of(path); p.line > 0 {
		at = &yaml.Node{Line: p.line, Column: p.column}
	}
	var groups []string
	for _, f := range fields {
		if f.required && !d.at.given(join(path, f.key)) {
			d.errorf(at, path, "%s is missing: write %s: %s", f.key, f.key, f.example)
		}
		if f.oneof != "" && !slices.Contains(groups, f.oneof) {
			groups = append(groups, f.oneof)
		}
	}
	for _, group := range groups {
		var all, given []string
		meant := false
		for _, f := range fields {
			if f.oneof != group {
				continue
			}
			all = append(all, f.key)
			if at := join(path, f.key); slices.Contains(d.meant, at) {
				meant = true
			} else if d.at.given(at) {
				given = append(given, f.key)
			}
		}
		switch {
		case len(given) == 0 && !meant:
			d.errorf(at, path, "one of %s is missing", strings.Join(all, ", "))
		case len(given) > 1:
			d.errorf(at, path, "%s exclude each other: keep one", strings.Join(given, " and "))
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, path string, v reflect.Value, f field) {
	if n.Kind != yaml.MappingNode {
		how := ""
		if n.Kind == yaml.SequenceNode && f.format == "name" {
			how = " whose keys are the names, such as app: {...}, without -"
		}
		d.errorf(n, path, "found %s: expected a mapping%s", f.kindOf(n), how)
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range d.indented(d.entries(n, path, f), path, f) {
		key, err := formats[f.format].check(e.key.Value)
		child := join(path, key)
		if err != nil {
			name := found(e.key.Value)
			if f.element().mayHide() {
				name = strconv.Quote(keyTold(e.key.Value)) // often a whole header line, with its value
			}
			d.errorf(e.key, path, "key %s: %v", name, err)
			continue
		}
		if v.MapIndex(reflect.ValueOf(key)).IsValid() {
			d.errorf(e.key, child, "duplicate key: the same as %s", key)
			continue
		}
		ev := reflect.New(v.Type().Elem()).Elem()
		if !isScalar(ev.Type()) {
			setDefaults(ev)
			if isNull(e.value) {
				e.value = &yaml.Node{Kind: yaml.MappingNode, Line: e.key.Line, Column: e.key.Column}
			}
		}
		d.note(child, e)
		d.decode(e.value, child, ev, f.element())
		v.SetMapIndex(reflect.ValueOf(key), ev)
	}
	if f.required && v.Len() == 0 {
		d.errorf(n, path, "empty: write %s", f.example)
	}
}

// indented returns the entries of a mapping of names without those that belong to a name before them, but are not
// indented below it. It reports these.
func (d *decoder) indented(entries []entry, path string, f field) (kept []entry) {
	if e := f.element().typ; isScalar(e) || e.Kind() != reflect.Struct {
		return entries
	}
	var keys, required []string
	for _, f := range fieldsOf(f.element().typ) {
		if keys = append(keys, f.key); f.required {
			required = append(required, f.key)
		}
	}
	setting := func(e entry) bool { // and not a name equal to that of a setting
		return len(required) > 0 && slices.Contains(keys, e.key.Value) &&
			!slices.ContainsFunc(e.value.Content, func(n *yaml.Node) bool { return slices.Contains(required, n.Value) })
	}
	outer := "" // the last name, if it has no value
	for _, e := range entries {
		if outer != "" && setting(e) {
			d.errorf(e.key, join(path, e.key.Value), "%s belongs to %s: indent it below that name", e.key.Value, outer)
			d.note(join(outer, e.key.Value), e) // not missing
			continue
		}
		outer = ""
		if name, err := formats[f.format].check(e.key.Value); err == nil && isNull(e.value) {
			outer = join(path, name)
		}
		kept = append(kept, e)
	}
	return kept
}

func (d *decoder) list(n *yaml.Node, path string, v reflect.Value, f field) {
	items := n.Content
	switch {
	case n.Kind == yaml.ScalarNode && f.single:
		items = []*yaml.Node{n}
	case n.Kind != yaml.SequenceNode:
		d.errorf(n, path, "found %s: expected a list%s", f.kindOf(n), f.asList(n))
		return
	}
	item := f.element()
	out := reflect.MakeSlice(v.Type(), 0, len(items))
	for i, child := range items {
		at := index(path, i)
		if isNull(child) {
			d.errorf(child, at, "empty entry")
			continue
		}
		d.note(at, entry{value: child})
		ev := reflect.New(item.typ).Elem()
		if !isScalar(item.typ) {
			setDefaults(ev)
		}
		d.decode(child, at, ev, item)
		out = reflect.Append(out, ev)
	}
	v.Set(out)
	if f.required && len(items) == 0 {
		d.errorf(n, path, "empty: write %s", f.example)
	}
}

func (d *decoder) scalar(n *yaml.Node, path string, v reflect.Value, f field) {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.errorf(n, path, "found %s: expected a single value", kindOf(n))
		return
	case isNull(n):
		d.errorf(n, path, "no value: write one, or leave the key out")
		return
	}
	text, err := expand(n.Value, d.env, func(name string) (string, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(d.folder(n.Line), name)
		}
		return secretFile(name)
	})
	if err != nil {
		d.errorf(n, path, "%v", err)
		return
	}
	if text == "" && n.Value != "" && f.typ == reflect.TypeFor[Secret]() && !strings.Contains(n.Value, ":-") {
		d.errorf(n, path, "%s is empty: set it, or write ${NAME:-} for no value", n.Value)
		return
	}
	if err := f.set(v, text); err != nil {
		what := "found " + found(f.told(text))
		switch {
		case text != n.Value && !f.mayHide():
			what = "found the value of " + found(n.Value) // variables hold secrets, and this may be the wrong variable
		case text != n.Value || f.told(text) == hidden:
			what = "bad value"
		}
		if line := d.continued(n); line > 0 {
			n, what = &yaml.Node{Line: line, Column: indentOf(d.texts.lines[line-1]) + 1}, fmt.Sprintf("this line continues the value in %s: check its indentation", d.texts.tell(n.Line, line))
		}
		d.errorf(n, path, "%s: %v", what, err)
		return
	}
	if name := v.String(); f.file && name != "" && !filepath.IsAbs(name) {
		v.SetString(filepath.Join(d.folder(n.Line), name))
	}
}

// folder returns the folder of the file that a line is in.
func (d *decoder) folder(line int) string {
	file, _ := d.texts.place(line)
	return filepath.Dir(file)
}

// continued returns the line that continues an unquoted value from the line before; 0 if none does.
func (d *decoder) continued(n *yaml.Node) int {
	if d.texts == nil || n.Style != 0 || n.Line == 0 || n.Line >= len(d.texts.lines) {
		return 0
	}
	first := []rune(d.texts.lines[n.Line-1])
	if n.Column > len(first) || strings.HasPrefix(string(first[n.Column-1:]), n.Value) {
		return 0
	}
	return n.Line + 1
}

// set sets v to the value of text, if the tags allow it.
func (f field) set(v reflect.Value, text string) error {
	if f.enum != nil && !slices.Contains(f.enum, text) {
		if ours := values[f.key][fold(text)]; slices.Contains(f.enum, ours) {
			return fmt.Errorf("must be one of %s (did you mean %s?)", strings.Join(f.enum, ", "), ours)
		}
		return fmt.Errorf("must be one of %s%s", strings.Join(f.enum, ", "), didYouMean(text, f.enum))
	}
	if f.format != "" && (text != "" || !f.hasDefault || f.def != "") {
		normal, err := formats[f.format].check(text)
		if err != nil {
			return err
		}
		text = normal
	}
	if err := setScalar(v, text); err != nil {
		return err
	}
	return f.checkBounds(v)
}

// entries returns the keys of a mapping, with those merged by << after its own. It reports duplicate keys.
func (d *decoder) entries(n *yaml.Node, path string, f field) []entry {
	var own []entry
	var merged []*yaml.Node
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		switch line, twice := seen[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.errorf(key, path, "found %s as a key: expected text", kindOf(key))
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
		case twice:
			d.errorf(key, join(path, keyTold(key.Value)), "duplicate key: the first one is in %s", d.texts.tell(line, n.Content[i].Line))
		default:
			seen[key.Value] = n.Content[i].Line
			own = append(own, entry{key, value})
		}
	}
	for _, source := range merged {
		own = d.merge(own, seen, source, path, f)
	}
	return own
}

// merge adds to own the unseen keys of source, a mapping or a list of mappings.
func (d *decoder) merge(own []entry, seen map[string]int, source *yaml.Node, path string, f field) []entry {
	n := resolve(source)
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			own = d.merge(own, seen, item, path, f)
		}
	case yaml.MappingNode:
		for _, e := range d.entries(n, path, f) {
			if _, given := seen[e.key.Value]; !given {
				seen[e.key.Value] = e.key.Line
				own = append(own, e)
			}
		}
	default:
		d.errorf(source, path, "found %s after <<: expected a mapping, or a list of mappings", f.kindOf(n))
	}
	return own
}
