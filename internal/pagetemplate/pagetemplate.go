package pagetemplate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template/parse"
)

// Data has the fields of a template by name: strings, ints and bools.
type Data map[string]any

// Template is a compiled page. It is safe for concurrent use.
type Template struct {
	body []step
}

// HTML compiles the template of an HTML page. Execute needs fields with the same names and types
// as in fields.
func HTML(name, text string, fields Data) (*Template, error) {
	return newTemplate(name, text, fields, place{})
}

// JSON compiles the template of a JSON document, see [HTML].
func JSON(name, text string, fields Data) (*Template, error) {
	return newTemplate(name, text, fields, document{})
}

func newTemplate(name, text string, fields Data, start context) (*Template, error) {
	names := map[string]any{}
	for f := range functions() {
		names[f] = true
	}
	trees, err := parse.Parse(name, text, "", "", names)
	if err != nil {
		return nil, err
	}
	c := compiler{trees: trees, tree: trees[name], calls: []string{name}}
	body, end, err := c.list(c.tree.Root, start)
	if err != nil {
		return nil, err
	}
	if err := end.end(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	check := newExecution(fields)
	check.everything = true
	if err := check.run(body); err != nil {
		return nil, err
	}
	return &Template{body}, nil
}

// Execute returns the page with the values of data.
func (t *Template) Execute(data Data) (string, error) {
	e := newExecution(data)
	if err := e.run(t.body); err != nil {
		return "", err
	}
	return e.out.String(), nil
}

// names returns the names of the fields, for an error.
func (d Data) names() string { return strings.Join(slices.Sorted(maps.Keys(d)), ", ") }
