package config

import (
	"encoding"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gopkg.in/yaml.v3"
)

// field has the contents of a struct field's tags; doc.go explains them.
type field struct {
	index            int
	typ              reflect.Type
	key, help        string
	example          string
	examples         map[string]string // by key, for the fields of the struct: they replace those of the type
	def              string
	hasDefault       bool
	min, max, zero   string
	enum             []string
	format, oneof    string
	shorthand        bool
	single, required bool
	file, public     bool
	nested           bool // a list of a struct that contains the list: descriptions do not descend
	partial          bool // for a struct: required keys may be missing
}

// fieldsOf returns the fields of a struct type, which is that of f, in order.
func (f field) fieldsOf(t reflect.Type) []field {
	fields := fieldsOf(t)
	if f.examples == nil {
		return fields
	}
	fields = slices.Clone(fields)
	for i := range fields {
		sub := &fields[i]
		sub.examples = maps.Clone(sub.examples)
		for path, text := range f.examples {
			if path == sub.key {
				sub.example = text
			} else if below, ok := strings.CutPrefix(path, sub.key+"."); ok {
				sub.addExample(below, text)
			}
		}
	}
	return fields
}

func (f *field) addExample(path, text string) {
	if f.examples == nil {
		f.examples = map[string]string{}
	}
	f.examples[path] = text
}

// fieldsOf returns the fields of a struct type in order. They are shared and must not be changed.
func fieldsOf(t reflect.Type) []field {
	if fields, ok := structs()[t]; ok {
		return fields
	}
	return parseTags(t)
}

// structs returns the fields of each struct in a configuration. To parse the tags for each value takes most of the time
// to decode a file.
var structs = sync.OnceValue(func() map[reflect.Type][]field {
	all := map[reflect.Type][]field{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for !isScalar(t) && t.Kind() != reflect.Struct {
			t = t.Elem()
		}
		if _, known := all[t]; known || isScalar(t) {
			return
		}
		fields := parseTags(t)
		all[t] = slices.Clip(fields)
		for _, f := range fields {
			walk(f.typ)
		}
	}
	walk(reflect.TypeFor[Config]())
	walk(reflect.TypeFor[writing]())
	return all
})

func parseTags(t reflect.Type) []field {
	fields := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		sf := t.Field(i)
		if !sf.IsExported() {
			continue
		}
		opts := strings.Split(sf.Tag.Get("opt"), ",")
		f := field{
			index: i, typ: sf.Type,
			key: sf.Tag.Get("yaml"), help: sf.Tag.Get("help"), example: sf.Tag.Get("example"),
			min: sf.Tag.Get("min"), max: sf.Tag.Get("max"), zero: sf.Tag.Get("zero"),
			format: sf.Tag.Get("format"), oneof: sf.Tag.Get("oneof"),
			shorthand: slices.Contains(opts, "shorthand"), single: slices.Contains(opts, "single"),
			required: slices.Contains(opts, "required"), file: slices.Contains(opts, "file"), public: slices.Contains(opts, "public"),
			nested: slices.Contains(opts, "nested"),
		}
		f.def, f.hasDefault = sf.Tag.Lookup("default")
		for text := range strings.SplitSeq(sf.Tag.Get("examples"), "; ") {
			if path, value, ok := strings.Cut(text, "="); ok {
				f.addExample(path, value)
			}
		}
		if enum := sf.Tag.Get("enum"); enum != "" {
			f.enum = strings.Split(enum, "|")
		}
		fields = append(fields, f)
	}
	return fields
}

// shorthandKind returns the kind of node that may replace the struct.
func (f field) shorthandKind() yaml.Kind {
	if isScalar(f.typ) {
		return yaml.ScalarNode
	}
	return yaml.SequenceNode
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// isScalar reports whether a type is written as a YAML scalar.
func isScalar(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Pointer:
		return false
	}
	return true
}

// setScalar sets v, of a scalar type, to the value of text. Its error says the expected form, and not the text.
func setScalar(v reflect.Value, text string) (err error) {
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		*p, err = parseDuration(text)
	case *netip.Prefix:
		*p, err = parsePrefix(text)
	case *fs.FileMode:
		*p, err = parseMode(text)
	case *bool:
		*p, err = parseBool(text)
	case *int:
		if *p, err = strconv.Atoi(text); err != nil {
			err = fmt.Errorf("expected a whole number")
		}
	case *string:
		*p = text
	case *Secret:
		*p = Secret(text)
	case encoding.TextUnmarshaler:
		err = p.UnmarshalText([]byte(text))
	default:
		panic(fmt.Sprintf("config: no scalar form for %s", v.Type()))
	}
	return err
}

// number returns the value of a type that has bounds.
func number(v reflect.Value) float64 {
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

// checkBounds returns an error when v is outside what the tags allow.
func (f field) checkBounds(v reflect.Value) error {
	if f.min == "" || f.zero != "" && v.IsZero() {
		return nil
	}
	low, high := reflect.New(v.Type()).Elem(), reflect.New(v.Type()).Elem()
	if err := setScalar(low, f.min); err != nil {
		panic(fmt.Sprintf("config: min of %s: %v", f.key, err))
	}
	if err := setScalar(high, f.max); err != nil {
		panic(fmt.Sprintf("config: max of %s: %v", f.key, err))
	}
	if n := number(v); n < number(low) || n > number(high) {
		return fmt.Errorf("must be %s", f.bounds())
	}
	return nil
}

// bounds describes the bounds: "from 1s to 10m, or 0s (off)".
func (f field) bounds() string {
	s := fmt.Sprintf("from %s to %s", f.min, f.max)
	if f.zero == "" {
		return s
	}
	zero := "0"
	if f.typ == reflect.TypeFor[Duration]() {
		zero = "0s"
	}
	if f.min == zero {
		return s + " (" + zero + ": " + f.zero + ")"
	}
	return s + ", or " + zero + " (" + f.zero + ")"
}

// setDefaults sets every field of the struct v to its default. It leaves fields without one unchanged.
func setDefaults(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		fv := v.Field(f.index)
		switch {
		case f.hasDefault && fv.Kind() == reflect.Slice:
			for item := range f.defaultItems() {
				ev := reflect.New(fv.Type().Elem()).Elem()
				f.mustSet(ev, item)
				fv.Set(reflect.Append(fv, ev))
			}
		case f.hasDefault:
			f.mustSet(fv, f.def)
		case fv.Kind() == reflect.Struct && !isScalar(fv.Type()):
			setDefaults(fv)
		}
	}
}

// defaultItems yields the entries of a default written as a list, [a, b].
func (f field) defaultItems() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		list := strings.Trim(f.def, "[]")
		if list == "" {
			return
		}
		for item := range strings.SplitSeq(list, ", ") {
			if !yield(item) {
				return
			}
		}
	}
}

func (f field) mustSet(v reflect.Value, text string) {
	if err := setScalar(v, text); err != nil {
		panic(fmt.Sprintf("config: default of %s: %v", f.key, err))
	}
}
