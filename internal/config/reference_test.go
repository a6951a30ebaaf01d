//go:build !minimal

package config

import (
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// TestReferenceExamples: the configuration takes each example of the reference.
func TestReferenceExamples(t *testing.T) {
	t.Parallel()
	keys := map[string]*exampleKey{}
	collectKeys(field{typ: reflect.TypeFor[Config]()}, "", keys)
	tried := 0
	for path, k := range keys {
		for below := range k.f.examples { // those that replace the examples of a shared type
			if at := join(general(path, k.f.typ), strings.ReplaceAll(below, "replace.", "replace[].")); keys[at] == nil {
				t.Errorf("%s: examples name %s, which is no key", path, at)
			}
		}
		text := k.f.exampleText()
		if text == "" || strings.Contains(text, "${") || k.f.isGroup() {
			continue
		}
		tried++
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Errorf("%s: %s: %v", path, text, err)
			continue
		}
		d := &decoder{at: positions{}}
		d.decode(doc.Content[0], k.f.key, reflect.New(k.f.typ).Elem(), k.f)
		if len(d.errs) > 0 {
			t.Errorf("%s: %s: %v", path, text, d.errs)
		}
	}
	if tried < 100 {
		t.Errorf("only %d examples", tried)
	}
}
