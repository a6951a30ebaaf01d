package config

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
)

// object is a JSON object.
type object = map[string]any

// Schema returns the JSON Schema (draft 2020-12) of a configuration file, for editors and other checkers. It has the
// structure, the enums and the bounds of plain numbers. Parse checks the rest.
func Schema() []byte {
	root := structSchema(reflect.TypeFor[Config]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "goodgate configuration"
	addWriting(root)
	root["$defs"] = object{
		"env": object{
			"description": "Text with references: ${NAME} or ${NAME:-default} for environment variables, ${file:PATH} for the content of a file.",
			"type":        "string", "pattern": `\$\{`,
		},
		"conditions": structSchema(reflect.TypeFor[Conditions]()),
		"text":       object{"type": []string{"string", "number", "boolean"}},
	}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("config: schema: %v", err)) // the tree holds only maps, lists and text
	}
	return append(out, '\n')
}

// addWriting adds the keys that are not decoded with the others. With include, other files may contain the rest.
func addWriting(root object) {
	properties := root["properties"].(object)
	keys := fieldsOf(reflect.TypeFor[writing]())
	include, defaults := keys[0], keys[1]
	properties[include.key] = include.schema()
	ofPool := object{}
	for _, f := range fieldsOf(defaults.typ) {
		ofPool[f.key] = object{"$ref": "#/properties/pools/additionalProperties/properties/" + f.key}
	}
	properties[defaults.key] = object{"type": []string{"object", "null"}, "description": defaults.help, "properties": ofPool, "additionalProperties": false}
	root["anyOf"] = []object{{"required": root["required"]}, {"required": []string{include.key}}}
	delete(root, "required")
}

func structSchema(t reflect.Type) object {
	properties, required := object{}, []string{}
	var choices []object
	var short *field
	for _, f := range fieldsOf(t) {
		properties[f.key] = f.schema()
		if f.required {
			required = append(required, f.key)
		}
		if f.oneof != "" {
			choices = append(choices, object{"required": []string{f.key}})
		}
		if f.shorthand {
			short = &f
		}
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	if choices != nil {
		s["oneOf"] = choices
	}
	if short == nil {
		return s
	}
	return object{"oneOf": []object{short.shape(), s}}
}

// schema describes the key of a field: its structure, and in words the rules that a schema cannot express.
func (f field) schema() object {
	s := f.shape()
	words := []string{f.help}
	if f.min != "" {
		words = append(words, strings.ToUpper(f.bounds()[:1])+f.bounds()[1:]+".")
	}
	s["description"] = strings.Join(words, " ")
	if f.hasDefault {
		s["default"] = f.defaultValue()
	}
	if !f.isGroup() && f.holdsSecrets() {
		s["writeOnly"] = true // no output shows all of it
	}
	return s
}

func (f field) shape() object {
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[[]Conditions]() {
		return object{"type": []string{"array", "null"}, "items": object{"$ref": "#/$defs/conditions"}}
	}
	switch {
	case isScalar(t):
		return scalarSchema(f)
	case t.Kind() == reflect.Struct:
		s := structSchema(t)
		if _, plain := s["type"]; plain && f.typ.Kind() == reflect.Struct {
			s["type"] = []string{"object", "null"}
		}
		return s
	}
	element := f.element()
	if t.Kind() == reflect.Map {
		s := object{"type": []string{"object", "null"}, "additionalProperties": element.shape()}
		if f.format == "name" {
			s["propertyNames"] = object{"pattern": "^[a-z0-9_-]{1,63}$"}
		}
		return s
	}
	list := object{"type": []string{"array", "null"}, "items": element.shape()}
	if f.required {
		list["type"], list["minItems"] = "array", 1
	}
	if f.single {
		return object{"oneOf": []object{element.shape(), list}}
	}
	return list
}

// scalarSchema describes a single value. If its form is narrower than text, it also allows a reference to the
// environment.
func scalarSchema(f field) object {
	s := typeSchema(f.typ)
	if f.enum != nil {
		s = object{"enum": f.enumValues()}
	}
	if s == nil {
		return object{"$ref": "#/$defs/text"}
	}
	if f.typ.Kind() == reflect.Int && f.enum == nil && f.min != "" {
		low, _ := strconv.Atoi(f.min)
		if f.zero != "" {
			low = 0
		}
		high, _ := strconv.Atoi(f.max)
		s["minimum"], s["maximum"] = low, high
	}
	return object{"anyOf": []object{s, {"$ref": "#/$defs/env"}}}
}

// typeSchema returns nil for plain text.
func typeSchema(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[Duration]():
		return object{"type": "string", "pattern": `^([0-9.]+(ns|us|µs|ms|s|m|h))+$`}
	case reflect.TypeFor[Size]():
		return object{"type": []string{"string", "integer"}, "minimum": 0, "pattern": `^[0-9]+ ?(B|[kKMG]B|[KMG]iB)?$`}
	case reflect.TypeFor[HedgeAfter]():
		return object{"type": "string", "pattern": `^(off|auto|p9[059]|([0-9.]+(ns|us|µs|ms|s|m|h))+)$`}
	case reflect.TypeFor[Adaptive]():
		return object{"enum": []any{AdaptiveAuto, true, false, "true", "false"}}
	case reflect.TypeFor[LogFormat]():
		return object{"anyOf": []object{{"enum": logFormats()}, {"type": "string", "pattern": `\$`}}}
	case reflect.TypeFor[Ratio]():
		return object{"type": []string{"string", "number"}, "minimum": 0, "pattern": `^[0-9.]+%?$`}
	case reflect.TypeFor[StatusRange]():
		return object{"type": []string{"string", "integer"}, "minimum": 100, "maximum": 599, "pattern": `^[1-5](xx|XX|[0-9]{2}(-[1-5][0-9]{2})?)$`}
	case reflect.TypeFor[netip.Prefix]():
		return object{"type": "string", "pattern": `^[0-9a-fA-F:.]+(/[0-9]{1,3})?$`}
	case reflect.TypeFor[fs.FileMode]():
		return object{"type": []string{"string", "integer"}, "pattern": `^(0o)?[0-7]{1,4}$`}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer"}
	}
	return nil
}

func (f field) enumValues() []any {
	values := make([]any, len(f.enum))
	for i, text := range f.enum {
		values[i] = f.plainValue(f.typ, text)
	}
	return values
}

func (f field) defaultValue() any {
	if f.typ.Kind() != reflect.Slice {
		return f.plainValue(f.typ, f.def)
	}
	items := []any{}
	for text := range f.defaultItems() {
		items = append(items, f.plainValue(f.typ.Elem(), text))
	}
	return items
}

// plainValue returns numbers and booleans as such, and all other values as text.
func (f field) plainValue(t reflect.Type, text string) any {
	if n, err := strconv.Atoi(text); err == nil && (t.Kind() == reflect.Int || t == reflect.TypeFor[StatusRange]()) {
		return n
	}
	if t.Kind() == reflect.Bool {
		return text == "true"
	}
	return text
}
