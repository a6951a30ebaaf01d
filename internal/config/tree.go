package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

const (
	maxBytes = 4 << 20
	maxNodes = 200_000 // aliases count at each use
	maxDepth = 64
)

// parseTree returns the only document in data as a tree whose aliases are safe to follow. It returns Errors, and nil
// for a part without a value.
func parseTree(file string, data []byte, isPart bool) (*yaml.Node, error) {
	fail := func(line, column int, format string, args ...any) (*yaml.Node, error) {
		return nil, Errors{{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}}
	}
	if len(data) > maxBytes {
		return fail(0, 0, "larger than %s", Size(maxBytes))
	}
	if other := otherProgram(data); other != "" {
		return fail(1, 1, "this is a configuration of %s: convert it with goodgate convert FILE", other)
	}
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := reader.Decode(&doc)
	switch {
	case isPart && (errors.Is(err, io.EOF) || err == nil && isNull(doc.Content[0])):
		return nil, nil
	case errors.Is(err, io.EOF), err == nil && isNull(doc.Content[0]):
		return fail(1, 1, "empty: a configuration needs at least listeners and pools")
	case err != nil:
		line, column, message := syntaxError(data, err)
		return fail(line, column, "%s", message)
	}
	root := doc.Content[0]
	if err := reader.Decode(&second); err == nil {
		return fail(second.Line, second.Column, "a second document: a file can have only one")
	} else if !errors.Is(err, io.EOF) {
		line, column, message := syntaxError(data, err)
		return fail(line, column, "%s", message)
	}
	if n := (&meter{}).exceeds(root, 0); n != nil {
		return fail(n.Line, n.Column, "more than %d values or %d levels, aliases expanded", maxNodes, maxDepth)
	}
	return root, nil
}

// meter counts nodes with every alias expanded.
type meter struct{ nodes int }

// exceeds returns the node at which the tree becomes too large or too deep, nil if it is within the limits.
func (m *meter) exceeds(n *yaml.Node, depth int) *yaml.Node {
	m.nodes++
	if m.nodes > maxNodes || depth > maxDepth {
		return n
	}
	if n.Kind == yaml.AliasNode {
		if m.exceeds(n.Alias, depth+1) != nil {
			return n
		}
		return nil
	}
	for _, child := range n.Content {
		if at := m.exceeds(child, depth+1); at != nil {
			return at
		}
	}
	return nil
}

// resolve returns the target of an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	n = resolve(n)
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// kindOf names what a node is, for messages.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return found(n.Value)
}

// kindOf names a node of another kind than the field's. The node may be a secret one level too high: webhook:
// https://hooks.example.com/SECRET
func (f field) kindOf(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && !isNull(n) && f.holdsSecrets() {
		return "a single value"
	}
	return kindOf(n)
}

// asList returns a value written as a list of one; "" if that would not help, or would show a secret.
func (f field) asList(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return ": begin each entry with \"- \""
	case n.Kind == yaml.ScalarNode && !isNull(n) && !f.holdsSecrets():
		return ": write [" + found(n.Value) + "]"
	case n.Kind == yaml.ScalarNode && f.typ == reflect.TypeFor[[]Listener]():
		address := n.Value
		if isPort(address, 0) {
			address = ":" + address
		}
		if _, err := listenAddress(address); err == nil { // otherwise it may be a secret
			return ": write [" + strconv.Quote(address) + "]"
		}
	case n.Kind == yaml.ScalarNode && f.typ == reflect.TypeFor[[]Upstream]():
		if url, err := upstreamURL(n.Value); err == nil {
			return ": write [" + strconv.Quote(url) + "]"
		}
	}
	return ""
}

// asMapping returns the mapping that a value probably means: upstreams for their pool, a URL for a redirect, a status
// for a response; "" for all others.
func (f field) asMapping(n *yaml.Node) string {
	scalar := n.Kind == yaml.ScalarNode
	switch f.typ {
	case reflect.TypeFor[Pool]():
	case reflect.TypeFor[Redirect](), reflect.TypeFor[*Redirect]():
		if scalar {
			return "{to: URL}" // it may be a secret
		}
		return ""
	case reflect.TypeFor[Respond](), reflect.TypeFor[*Respond]():
		if status, err := strconv.Atoi(n.Value); scalar && err == nil && status >= 200 && status <= 599 {
			return "{status: " + n.Value + "}"
		}
		return ""
	default:
		return ""
	}
	if n.Kind == yaml.SequenceNode {
		return "upstreams: before the list"
	}
	if address, err := upstreamURL(n.Value); scalar && err == nil { // otherwise it may be a secret
		return "{upstreams: [" + strconv.Quote(address) + "]}"
	}
	return ""
}

// keyTold quotes a key for a message. A text that cannot be a key may be a value in the wrong place, even a secret, so
// it is hidden.
func keyTold(key string) string {
	plain := strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_- ") == ""
	if key == "" || !plain || len(key) > 40 {
		return hidden
	}
	return key
}

// found quotes text for a message: short, on one line, and without the password and the query of any URL in it.
func found(text string) string {
	if strings.Contains(text, "://") {
		text = withoutQuery(text)
	}
	if runes := []rune(text); len(runes) > 60 {
		text = string(runes[:60]) + "..."
	}
	return strconv.Quote(text)
}
