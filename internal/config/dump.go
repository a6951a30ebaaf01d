package config

import (
	"bytes"
	"maps"
	"reflect"
	"slices"

	"gopkg.in/yaml.v3"
)

// Dump returns the configuration as YAML, with all defaults filled in and possible
// secrets hidden.
func Dump(c *Config) []byte {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(dump(reflect.ValueOf(*c), field{typ: reflect.TypeFor[Config]()})); err != nil {
		panic("config: " + err.Error()) // nodes are always encodable
	}
	e.Close()
	return out.Bytes()
}

// dump returns the node of a value, nil for an absent one.
func dump(v reflect.Value, f field) *yaml.Node {
	switch t := v.Type(); {
	case isScalar(t):
		return dumpScalar(v, f)
	case t.Kind() == reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return dump(v.Elem(), f)
	case t.Kind() == reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		if isScalar(t.Elem()) {
			list.Style = yaml.FlowStyle
		}
		for i := range v.Len() {
			list.Content = append(list.Content, dump(v.Index(i), f.element()))
		}
		return list
	case t.Kind() == reflect.Map:
		m := &yaml.Node{Kind: yaml.MappingNode}
		entries := map[string]reflect.Value{}
		for _, k := range v.MapKeys() {
			if p, ok := v.MapIndex(k).Interface().(Pool); ok && p.implied {
				continue // the other key says it
			}
			entries[k.String()] = v.MapIndex(k)
		}
		for _, k := range slices.Sorted(maps.Keys(entries)) {
			m.Content = append(m.Content, stringNode(k), dump(entries[k], f.element()))
		}
		return m
	}
	m := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fieldsOf(v.Type()) {
		if idle(v.Interface(), f.key) {
			continue
		}
		if _, within := v.Interface().(Conditions); within && v.Field(f.index).IsZero() {
			continue // no condition
		}
		if n := dump(v.Field(f.index), f); n != nil && !(f.oneof != "" && v.Field(f.index).IsZero()) {
			m.Content = append(m.Content, stringNode(f.key), n)
		}
	}
	return m
}

// idle reports whether a key has no effect beside the others, so that giving it would be
// a mistake.
func idle(owner any, key string) bool {
	switch o := owner.(type) {
	case Upstream:
		return key == "scheme" && o.hasScheme()
	case Listener:
		return key == "http2" && o.TLS == nil && !o.HTTP2.Cleartext || key == "http3" && !o.HTTP3.Enabled
	case ForwardAuth:
		return (key == "pool" || key == "path") && len(o.URL) > 0 || key == "tls" && len(o.URL) == 0
	case Health:
		return o.From != "" && key != "from"
	case ListenerTLS:
		return (key == "client_auth" || key == "client_crl") && o.ClientCA == ""
	}
	return false
}

func dumpScalar(v reflect.Value, f field) *yaml.Node {
	switch v.Interface().(type) {
	case bool, int:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: text(v)}
	}
	return stringNode(f.told(text(v)))
}

func stringNode(s string) *yaml.Node {
	n := new(yaml.Node)
	n.SetString(s)
	return n
}
