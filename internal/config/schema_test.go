package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

const examplePath = "../../config.example.yaml"

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("goodgate.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("goodgate.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON returns a YAML document as a JSON checker sees it.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSchema(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	example, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{
		string(example), minimal,
		withPool("policy: '${POLICY:-hash}', slow_start: '${S}', retry: {attempts: '${N}', statuses: 503}, health: null"),
		withPool("health: {path: /, expect: {status: [200, 3xx]}}, overprovision: 1.4, hash: {load: 0}"),
		minimal + "routes: [{match: {host: a}, pool: app}, {respond: {headers: {X: 1}}}]",
	} {
		if err := s.Validate(asJSON(t, good)); err != nil {
			t.Errorf("%.200s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"{}", "listeners: []", minimal + "x: 1", withPool("polcy: x"), withPool("policy: x"), withPool("slow_start: 5"),
		withPool("retry: {attempts: 11}"), withPool("breaker: {enabled: yes please}"), withPool("hash: {load: -1}"),
		minimal + "routes: [{name: x}]", minimal + "routes: [{pool: app, respond: {}}]", minimal + "routes: [{redirect: {}}]",
		strings.Replace(minimal, "app:", "My App:", 1),
	} {
		if err := s.Validate(asJSON(t, bad)); err == nil {
			t.Errorf("accepted: %s", bad)
		}
	}
}

// exampleKey is the text of config.example.yaml about one key, from all its places.
type exampleKey struct {
	f           field
	showsIt     bool
	showsItsDef bool
}

// TestExample checks that config.example.yaml has every key, and that its defaults are those of the code.
func TestExample(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	_, warnings := parse(t, string(data))
	warnings = slices.DeleteFunc(warnings, func(w Warning) bool { return strings.Contains(w.Path, ".faults[") }) // each is meant to be noticed
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	root, err := parseTree("example", data, false)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]*exampleKey{}
	collectKeys(field{typ: reflect.TypeFor[Config]()}, "", keys)
	walkExample(t, root, reflect.TypeFor[Config](), "", keys)
	for path, k := range keys {
		if !k.showsIt {
			t.Errorf("%s is not there", path)
		} else if k.f.hasDefault && !k.showsItsDef && !slices.Contains(shownInUse, path) {
			t.Errorf("%s: no line shows its default %q", path, k.f.def)
		}
	}
}

// shownInUse are keys whose default, which is empty or a text, explains less than an
// example value.
var shownInUse = []string{
	"routes[].match.path", "routes[].match.methods", "routes[].request_headers.remove", "routes[].response_headers.remove",
	"routes[].error_headers.remove", "log.outputs[].only.failed",
	"routes[].respond.body", "routes[].split.override.header", "pools.*.hash.on", "pools.*.sticky.secret",
	"pools.*.health.steps[].expect_regexp", "pools.*.health.from",
}

func element(t reflect.Type) reflect.Type {
	for !isScalar(t) && t.Kind() != reflect.Struct {
		t = t.Elem()
	}
	return t
}

// general returns path with the marks of a list or map of structs.
func general(path string, t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Slice && !isScalar(t.Elem()):
		return path + "[]"
	case t.Kind() == reflect.Map && !isScalar(t.Elem()):
		return path + ".*"
	}
	return path
}

func collectKeys(group field, path string, keys map[string]*exampleKey) {
	for _, f := range group.fieldsOf(element(group.typ)) {
		child := join(path, f.key)
		keys[child] = &exampleKey{f: f}
		if e := element(f.typ); !isScalar(e) && !f.nested {
			collectKeys(f, general(child, f.typ), keys)
		}
	}
}

func walkExample(t *testing.T, n *yaml.Node, typ reflect.Type, path string, keys map[string]*exampleKey) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		k := keys[join(path, key.Value)]
		k.showsIt = true
		if e := element(k.f.typ); value.Kind == yaml.MappingNode && !isScalar(e) && value.LineComment != "" {
			for j := 1; j < len(value.Content); j += 2 { // it is about all that the line has
				value.Content[j].LineComment = value.LineComment
			}
			value.LineComment = ""
		}
		checkDefault(t, value, k)
		e, child := element(k.f.typ), general(join(path, key.Value), k.f.typ)
		if isScalar(e) || k.f.nested {
			continue
		}
		switch k.f.typ.Kind() {
		case reflect.Slice:
			for _, item := range value.Content {
				walkExample(t, item, e, child, keys)
			}
		case reflect.Map:
			for j := 1; j < len(value.Content); j += 2 {
				walkExample(t, value.Content[j], e, child, keys)
			}
		default:
			walkExample(t, value, e, child, keys)
		}
	}
}

// checkDefault compares a value that the example calls the default with the one in the code.
func checkDefault(t *testing.T, value *yaml.Node, k *exampleKey) {
	if !strings.HasPrefix(value.LineComment, "# default") {
		return
	}
	k.showsItsDef = true
	got, want := reflect.New(k.f.typ).Elem(), reflect.New(k.f.typ).Elem()
	d := &decoder{at: positions{}}
	d.decode(value, k.f.key, got, k.f)
	if k.f.typ.Kind() == reflect.Slice {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for item := range k.f.defaultItems() {
			list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: item})
		}
		d.decode(list, k.f.key, want, k.f)
	} else {
		k.f.mustSet(want, k.f.def)
	}
	if len(d.errs) > 0 || !k.f.hasDefault || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("line %d: %s: got %v, want %v (%v)", value.Line, k.f.key, got, want, d.errs)
	}
}

// TestTags checks that the tags agree: each set must be complete and allow its own
// default.
func TestTags(t *testing.T) {
	t.Parallel()
	keys := map[string]*exampleKey{}
	collectKeys(field{typ: reflect.TypeFor[Config]()}, "", keys)
	for path, k := range keys {
		f := k.f
		if f.key == "" || !strings.HasSuffix(f.help, ".") {
			t.Errorf("%s: key %q, help %q", path, f.key, f.help)
		}
		if _, ok := formats[f.format]; !ok && f.format != "" {
			t.Errorf("%s: no format %q", path, f.format)
		}
		if needsBounds := slices.Contains([]string{"time.Duration", "config.Size", "config.Ratio", "int"}, f.typ.String()); needsBounds && f.min == "" && f.enum == nil {
			t.Errorf("%s: no bounds", path)
		}
		if !f.hasDefault || f.typ.Kind() == reflect.Slice {
			continue
		}
		v := reflect.New(f.typ).Elem()
		if err := f.set(v, f.def); err != nil {
			t.Errorf("%s: default %q: %v", path, f.def, err)
		}
	}
	if c := Default(); c.Shutdown.Grace == 0 || c.Via != "goodgate" || c.Listeners != nil || c.Pools != nil {
		t.Errorf("got %+v", c)
	}
}
