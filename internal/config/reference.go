//go:build !minimal

package config

import (
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"strings"
)

const referenceHead = `# Configuration reference

` + "```yaml" + `
listeners: [":8080"]
pools:
  app:
    upstreams: ["http://127.0.0.1:3001", "http://127.0.0.1:3002"]
` + "```" + `

This page has every key. ` + "`goodgate schema --markdown`" + ` prints it. [config.example.yaml](../config.example.yaml) shows the same keys as a file,
and ` + "`goodgate check FILE`" + ` checks yours.

- A key that you leave out has its default. A dash means that it has none.
- The name of a table is the path to its keys. ` + "`pools.health`" + ` is ` + "`health`" + ` of each pool, ` + "`listeners.tls`" + ` is ` + "`tls`" + ` of each listener.
- **Durations** have a unit: ` + "`500ms`, `2s`, `1m30s`" + `. **Sizes** do too: ` + "`64KiB`" + ` is 65536 bytes, ` + "`64kB`" + ` is 64000. **Ratios** are ` + "`20%` or `0.2`" + `.
- Values may contain ` + "`${NAME}` or `${NAME:-default}`" + ` from the environment, and ` + "`${file:PATH}`" + `, the content of a file without the line break at
  its end (64 KiB at most); ` + "`$${`" + ` stands for a plain ` + "`${`" + `.
- **Names** have 1 to 63 characters: a-z, 0-9, ` + "`_` and `-`" + `. **Regular expressions** have the [syntax of RE2](https://github.com/google/re2/wiki/Syntax).
- **Files** with a relative name are in the folder of the file that names them. **Secrets** never appear in the log or the API.

`

// Reference returns the page about all keys of the configuration, as Markdown: a table
// for each group of keys, and an anchor for each key.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	writeParts(&b)
	writeGroup(&b, "", "## Top level", field{typ: reflect.TypeFor[Config]()})
	return append([]byte(strings.TrimSpace(b.String())), '\n')
}

// writeParts writes the keys that are not decoded with the others.
func writeParts(b *strings.Builder) {
	b.WriteString("## Parts\n\nThese keys are about the file itself.\n\n| key | meaning | values | example |\n|---|---|---|---|\n")
	for _, f := range fieldsOf(reflect.TypeFor[writing]()) {
		values := "keys of [pools](#pools)"
		if !f.isGroup() {
			values = f.valuesCell(f.key)
		}
		fmt.Fprintf(b, "| <a id=\"%s\"></a>`%s` | %s | %s | %s |\n", f.key, f.key, cell(f.help), values, f.exampleCell())
	}
	b.WriteString("\n")
}

// writeGroup writes the table of a struct, and then those of the structs in it.
func writeGroup(b *strings.Builder, path, title string, group field) {
	fmt.Fprintf(b, "%s\n\n", title)
	fields := group.fieldsOf(groupType(group.typ))
	writeForms(b, fields)
	b.WriteString("| key | meaning | default | values | example |\n|---|---|---|---|---|\n")
	for _, f := range fields {
		at, anchor := join(path, f.key), ""
		if path != "" || !f.isGroup() { // for a group, the heading is the anchor
			anchor = fmt.Sprintf(`<a id="%s"></a>`, at)
		}
		fmt.Fprintf(b, "| %s`%s` | %s | %s | %s | %s |\n", anchor, f.key, cell(f.help), f.defaultCell(), f.valuesCell(at), f.exampleCell())
	}
	b.WriteString("\n")
	for _, f := range fields {
		if f.isGroup() && !f.nested {
			at, level := join(path, f.key), "###"
			if path == "" {
				level = "##"
			}
			writeGroup(b, at, level+" "+at, f)
		}
	}
}

// writeForms says which keys exclude each other, and what a single value means in place
// of the group.
func writeForms(b *strings.Builder, fields []field) {
	var choice []string
	for _, f := range fields {
		if f.oneof != "" {
			choice = append(choice, code(f.key))
		}
		if f.shorthand {
			fmt.Fprintf(b, "Short form: a %s, without keys, stands for `%s`.\n\n", map[bool]string{true: "single value", false: "list"}[isScalar(f.typ)], f.key)
		}
	}
	if n := len(choice); n > 0 {
		fmt.Fprintf(b, "Exactly one of %s and %s is required.\n\n", strings.Join(choice[:n-1], ", "), choice[n-1])
	}
}

// groupType returns the struct in a pointer, list or map.
func groupType(t reflect.Type) reflect.Type {
	for t.Kind() != reflect.Struct {
		t = t.Elem()
	}
	return t
}

func (f field) defaultCell() string {
	switch {
	case f.required:
		return "required"
	case f.isGroup():
		return ""
	case f.def == "" || f.def == "[]":
		return "–"
	}
	return code(f.def)
}

func (f field) valuesCell(path string) string {
	if f.nested {
		path = "routes.match.any"
	}
	if f.isGroup() {
		link := fmt.Sprintf("[%s](#%s)", path, strings.ReplaceAll(path, ".", ""))
		switch f.typ.Kind() {
		case reflect.Slice:
			return "list of " + link
		case reflect.Map:
			return "by name: " + link
		}
		return link
	}
	switch {
	case f.single:
		return "one or a list: " + f.element().scalarWords()
	case f.typ.Kind() == reflect.Slice:
		return "list: " + f.element().scalarWords()
	case f.typ.Kind() == reflect.Map:
		return "map: " + f.scalarWords() + " to " + f.element().scalarWords()
	}
	return f.scalarWords()
}

// scalarWords describes a single value and its bounds.
func (f field) scalarWords() string {
	s := f.kindWords()
	if f.enum != nil {
		codes := make([]string, len(f.enum))
		for i, word := range f.enum {
			codes[i] = code(word)
		}
		s = strings.Join(codes, ", ")
	} else if f.min != "" {
		s += ", " + f.bounds()
	}
	return cell(s)
}

func (f field) kindWords() string {
	switch f.typ {
	case reflect.TypeFor[Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[Ratio]():
		return "ratio"
	case reflect.TypeFor[HedgeAfter]():
		return "`auto`, `p90`, `p95`, `p99`, `off` or a duration"
	case reflect.TypeFor[Adaptive]():
		return "`auto`, `true`, `false`"
	case reflect.TypeFor[LogFormat]():
		return "`" + strings.Join(logFormats(), "`, `") + "` or text with variables"
	case reflect.TypeFor[StatusRange]():
		return "status, range or class"
	case reflect.TypeFor[netip.Prefix]():
		return "network or address"
	case reflect.TypeFor[fs.FileMode]():
		return "octal mode"
	case reflect.TypeFor[Secret]():
		return "secret"
	}
	switch f.typ.Kind() {
	case reflect.Bool:
		return "`true`, `false`"
	case reflect.Int:
		return "number"
	}
	if kind := formatWords(f.format).kind; kind != "" {
		return kind
	}
	if f.file {
		return "file"
	}
	return "text"
}

// exampleCell returns an example if the default shows none.
func (f field) exampleCell() string {
	if text := f.exampleText(); text != "" {
		return code(text)
	}
	return ""
}

// exampleText returns a value of a key as YAML, empty if the default or the list of
// values shows one.
func (f field) exampleText() string {
	switch {
	case f.typ.Kind() == reflect.Bool:
		return ""
	case f.example != "":
		return f.example
	case f.isGroup() || f.enum != nil || f.def != "" && f.def != "[]":
		return ""
	case f.typ.Kind() == reflect.Slice:
		if text := f.element().formatExample(); text != "" {
			return "[" + yamlText(text) + "]"
		}
		return ""
	case f.typ.Kind() == reflect.Map:
		return "{" + formatWords(f.format).example + ": " + yamlText(f.element().formatExample()) + "}"
	}
	return yamlText(f.formatExample())
}

func (f field) formatExample() string {
	switch f.typ {
	case reflect.TypeFor[netip.Prefix]():
		return "10.0.0.0/8"
	case reflect.TypeFor[StatusRange]():
		return "503"
	case reflect.TypeFor[Secret]():
		return "${" + strings.ToUpper(f.key) + "}"
	}
	return formatWords(f.format).example
}

// yamlText quotes text that YAML would not read as text.
func yamlText(s string) string {
	if strings.ContainsAny(s, "*[]{}:,#&!|>%@^ ") {
		return `"` + s + `"`
	}
	return s
}

func code(s string) string { return "`" + strings.ReplaceAll(s, "|", `\|`) + "`" }

// cell escapes text for a table.
func cell(s string) string {
	return strings.NewReplacer("*", `\*`, "|", `\|`, "<", "&lt;", "$", "&#36;").Replace(s)
}
