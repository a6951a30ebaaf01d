package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"gopkg.in/yaml.v3"
)

// tree is a value of a configuration in YAML, JSON or TOML, with its place. A nil tree
// stands for an absent value. Reading a part marks it, so that unread parts can be
// noted at the end.
type tree struct {
	at    string
	text  string // text of a scalar
	null  bool
	items []*tree
	keys  []string // in the order of the file
	of    map[string]*tree
	read  bool
}

// bounds of what is read. YAML's anchors make much of little.
const (
	maxValues = 200_000
	maxNested = 100
)

var errTooMuch = errors.New("has more values or levels than convert reads")

// parseTree reads a text. file is the name of its source. It tries TOML first, because
// no other text is valid TOML.
func parseTree(text []byte, file string) (*tree, error) {
	g := &grower{file: filepath.Base(file)}
	var v map[string]any
	err := toml.Unmarshal(text, &v)
	if err == nil && len(v) > 0 {
		return g.value(v, "", 0)
	}
	if filepath.Ext(file) == ".toml" && err != nil {
		return nil, err
	}
	var n yaml.Node
	err = yaml.Unmarshal(text, &n)
	if err != nil && json.Valid(text) { // some JSON is not valid YAML
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, err
		}
		return g.value(v, "", 0)
	}
	if err != nil {
		return nil, err
	}
	if len(n.Content) == 0 {
		return &tree{of: map[string]*tree{}}, nil
	}
	return g.node(n.Content[0], 0)
}

// grower builds trees from a file, within bounds.
type grower struct {
	file  string
	count int
}

func (g *grower) grow(depth int) error {
	if g.count++; g.count > maxValues || depth > maxNested {
		return errTooMuch
	}
	return nil
}

func (g *grower) node(n *yaml.Node, depth int) (*tree, error) {
	if err := g.grow(depth); err != nil {
		return nil, err
	}
	t := &tree{at: fmt.Sprintf("%s:%d", g.file, n.Line)}
	switch n.Kind {
	case yaml.AliasNode:
		return g.node(n.Alias, depth+1)
	case yaml.SequenceNode:
		for _, c := range n.Content {
			in, err := g.node(c, depth+1)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, in)
		}
	case yaml.MappingNode:
		t.of = map[string]*tree{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			in, err := g.node(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			if in.at = fmt.Sprintf("%s:%d", g.file, n.Content[i].Line); n.Content[i].Value == "<<" && in.of != nil {
				for _, k := range in.keys {
					if t.of[k] == nil {
						t.set(k, in.of[k])
					}
				}
				continue
			}
			t.set(n.Content[i].Value, in)
		}
	default:
		t.text, t.null = n.Value, n.Tag == "!!null"
	}
	return t, nil
}

// value converts a decoded value. Its place is its keys.
func (g *grower) value(v any, path string, depth int) (*tree, error) {
	if err := g.grow(depth); err != nil {
		return nil, err
	}
	t := &tree{at: strings.TrimSuffix(g.file+": "+path, ": ")}
	switch v := v.(type) {
	case map[string]any:
		t.of = map[string]*tree{}
		for k, c := range v {
			in, err := g.value(c, strings.TrimPrefix(path+"."+k, "."), depth+1)
			if err != nil {
				return nil, err
			}
			t.set(k, in)
		}
		slices.Sort(t.keys)
	case []any:
		for _, c := range v {
			in, err := g.value(c, path, depth+1)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, in)
		}
	case []map[string]any:
		for _, c := range v {
			in, err := g.value(c, path, depth+1)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, in)
		}
	case nil:
		t.null = true
	case float64:
		t.text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		t.text = fmt.Sprint(v)
	}
	return t, nil
}

func (t *tree) set(key string, v *tree) {
	if t.of == nil {
		t.of = map[string]*tree{}
	}
	if t.of[key] == nil {
		t.keys = append(t.keys, key)
	}
	t.of[key] = v
}

// get returns the value at a path of keys, ignoring case, and marks it as read.
func (t *tree) get(path ...string) *tree {
	for _, key := range path {
		if t == nil {
			return nil
		}
		in, ok := t.of[key]
		for _, k := range t.keys {
			if !ok && strings.EqualFold(k, key) {
				in = t.of[k]
				break
			}
		}
		if t = in; t != nil {
			t.read = true
		}
	}
	return t
}

// use marks a whole tree as read.
func (t *tree) use() {
	if t == nil || t.read && t.of == nil && t.items == nil {
		return
	}
	t.read = true
	for _, c := range t.all() {
		c.use()
	}
	for _, c := range t.of {
		c.use()
	}
}

func (t *tree) str(path ...string) string {
	if t = t.get(path...); t == nil {
		return ""
	}
	return t.text
}

// strs returns a list of texts, or a single text as a list.
func (t *tree) strs(path ...string) (list []string) {
	if t = t.get(path...); t == nil || t.null {
		return nil
	}
	if t.items == nil && t.of == nil && t.text != "" {
		return []string{t.text}
	}
	for _, c := range t.items {
		c.read = true
		list = append(list, c.text)
	}
	return list
}

func (t *tree) on(path ...string) bool { return strings.EqualFold(t.str(path...), "true") }

// num returns a number, 0 for other values.
func (t *tree) num(path ...string) int {
	n, err := strconv.Atoi(t.str(path...))
	if err != nil {
		return 0
	}
	return n
}

// span returns a duration: text with a unit, or a number of units.
func (t *tree) span(unit time.Duration, path ...string) time.Duration {
	text := t.str(path...)
	if d, err := time.ParseDuration(text); err == nil {
		return max(d, 0)
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		text, unit = days, 24*time.Hour
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > int64(100*365*24*time.Hour/unit) {
		return 0
	}
	return time.Duration(n) * unit
}

func (t *tree) all(path ...string) []*tree {
	if t = t.get(path...); t == nil {
		return nil
	}
	return t.items
}

// names returns the keys at a path.
func (t *tree) names(path ...string) []string {
	if t = t.get(path...); t == nil {
		return nil
	}
	return t.keys
}

// place returns the place of a tree. A part that is absent has the place of the whole.
func (t *tree) place() string {
	if t == nil {
		return ""
	}
	return t.at
}

// unread calls say for each unread part with the keys that lead to it, but not for
// parts within an unread one.
func (t *tree) unread(say func(path []string, t *tree)) { t.unreadBelow(nil, say) }

func (t *tree) unreadBelow(path []string, say func([]string, *tree)) {
	for _, k := range t.keys {
		in := t.of[k]
		below := append(slices.Clone(path), k)
		if !in.read {
			say(below, in)
			continue
		}
		in.unreadBelow(below, say)
	}
	for _, in := range t.items {
		in.unreadBelow(path, say)
	}
}

// object builds a tree from pairs of a key and a value: a text, a list of texts, a tree
// or a list of trees. It leaves empty values out.
func object(at string, pairs ...any) *tree {
	t := &tree{at: at, of: map[string]*tree{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		var in *tree
		switch v := pairs[i+1].(type) {
		case string:
			if v != "" {
				in = &tree{at: at, text: v}
			}
		case bool:
			if v {
				in = &tree{at: at, text: "true"}
			}
		case []string:
			if len(v) > 0 {
				in = texts(at, v)
			}
		case *tree:
			in = v
		case []*tree:
			if len(v) > 0 {
				in = &tree{at: at, items: v}
			}
		}
		if in != nil {
			t.set(pairs[i].(string), in)
		}
	}
	return t
}

func texts(at string, list []string) *tree {
	t := &tree{at: at}
	for _, s := range list {
		t.items = append(t.items, &tree{at: at, text: s})
	}
	return t
}
