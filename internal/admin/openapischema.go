package admin

import (
	"encoding"
	"encoding/json"
	"path"
	"reflect"
	"strings"
	"time"
)

// schemas are the schemas of named types, by name, in the form that encoding/json writes.
type schemas map[string]object

// of returns the schema of a value's type.
func (s schemas) of(v any) object { return s.typed(reflect.TypeOf(v)) }

// order returns the schema of a body's type. Unknown fields are an error.
func (s schemas) order(v any) object {
	t := reflect.TypeOf(v)
	ref := s.typed(t)
	s[nameOf(t)]["additionalProperties"] = false
	return ref
}

var (
	timeType      = reflect.TypeFor[time.Time]()
	rawType       = reflect.TypeFor[json.RawMessage]()
	marshalerType = reflect.TypeFor[json.Marshaler]()
	textType      = reflect.TypeFor[encoding.TextMarshaler]()
)

func (s schemas) typed(t reflect.Type) object {
	switch {
	case t == timeType:
		return object{"type": "string", "format": "date-time"}
	case t == rawType || t.Implements(marshalerType):
		return object{}
	case t.Implements(textType):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.typed(t.Elem())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.typed(t.Elem())}
	case reflect.Array:
		return object{"type": "array", "items": s.typed(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Slice:
		return object{"type": "array", "items": s.typed(t.Elem())}
	case reflect.Struct:
		return s.named(t)
	case reflect.Interface:
		return object{}
	default:
		return object{"type": "integer"}
	}
}

// named returns a reference to the schema of a struct, and adds the schema at first use.
func (s schemas) named(t reflect.Type) object {
	name := nameOf(t)
	if name == "" {
		return s.structure(t)
	}
	if s[name] == nil {
		s[name] = object{} // for a type that contains itself
		s[name] = s.structure(t)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// nameOf returns the name of a type, with its package if that is not this one.
func nameOf(t reflect.Type) string {
	name := t.Name()
	if name == "" {
		return ""
	}
	name = strings.ToUpper(name[:1]) + name[1:]
	if pkg := t.PkgPath(); pkg != reflect.TypeFor[Status]().PkgPath() {
		name = path.Base(pkg) + "." + name
	}
	return name
}

func (s schemas) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	s.fields(t, properties, &required)
	out := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// fields adds the fields of a struct, and of structs embedded in it. Optional fields are
// not required.
func (s schemas) fields(t reflect.Type, properties object, required *[]string) {
	for f := range t.Fields() {
		tag, tagged := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		if f.Anonymous && name == "" {
			s.fields(f.Type, properties, required)
			continue
		}
		if !f.IsExported() || !tagged || name == "-" {
			continue
		}
		p := s.typed(f.Type)
		if words := f.Tag.Get("enum"); words != "" {
			p["enum"] = strings.Split(words, ",")
		}
		if does := f.Tag.Get("doc"); does != "" {
			p["description"] = does
		}
		properties[name] = p
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}
