package config

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

const (
	maxFiles = 1000 // of one configuration
	maxLevel = 8    // of files that include files
)

// writing has the keys about the form of the file. They are removed before the rest is decoded: the other keys then
// contain their effect.
type writing struct {
	Include  []string `yaml:"include" opt:"single,public" example:"conf.d/*.yaml" help:"More files of this configuration: names or patterns with *, ? and [a-z], from the folder of the file that includes them. Their listeners, routes and pools follow those of the including file, in the order of the file names. Every other key may be in one file only."`
	Defaults Pool     `yaml:"defaults" help:"Settings for all pools: every key of a pool. A pool's own value takes precedence; its own list, headers or fallback replaces the default as a whole."`
}

// library provides the files of a configuration.
type library interface {
	match(pattern string) ([]string, error)
	read(name string) ([]byte, error)
}

// disk reads files when they are needed.
type disk struct{}

func (disk) match(pattern string) ([]string, error) {
	names, err := filepath.Glob(pattern)
	return slices.DeleteFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return err == nil && info.IsDir()
	}), err
}

func (disk) read(name string) ([]byte, error) { return readRegular(name, maxBytes) }

// kept are files that were read before.
type kept []File

func (k kept) match(pattern string) (names []string, err error) {
	for _, f := range k {
		ok, err := filepath.Match(pattern, f.Name)
		if err != nil {
			return nil, err
		}
		if ok {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (k kept) read(name string) ([]byte, error) {
	if i := slices.IndexFunc(k, func(f File) bool { return f.Name == name }); i >= 0 {
		return k[i].Text, nil
	}
	return nil, fmt.Errorf("there is no copy of %s with this version", name)
}

// readRegular returns the content of a file, of a file larger than limit one byte more. It does not wait for pipes.
func readRegular(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// gatherer reads a file and those that it includes into one tree.
type gatherer struct {
	*decoder
	from    library
	files   []File
	size    int
	seen    map[string]bool // files in the tree, and failed ones, by identity
	folders []string        // folders in which files may appear
	failed  Errors          // for files with invalid YAML
}

func newGatherer(d *decoder, from library) *gatherer {
	return &gatherer{decoder: d, from: from, seen: map[string]bool{}}
}

// gather returns the tree of a configuration. The error is Errors.
func (g *gatherer) gather(main File) (*yaml.Node, error) {
	root := g.add(main)
	if root != nil && root.Kind == yaml.MappingNode {
		g.include(root, root, main.Name, 1)
	}
	if len(g.failed) > 0 {
		return nil, g.failed
	}
	if n := (&meter{}).exceeds(root, 0); n != nil {
		g.decoder.errorf(n, "", "more than %d values or %d levels in all files, aliases expanded", maxNodes, maxDepth)
		return nil, g.texts.locate(g.errs)
	}
	return root, nil
}

// add reads one file. It returns nil for one with a mistake, and for an empty included one.
func (g *gatherer) add(f File) *yaml.Node {
	g.seen[identity(f.Name)] = true
	g.files, g.size = append(g.files, f), g.size+len(f.Text)
	root, err := parseTree(f.Name, f.Text, len(g.files) > 1)
	before := g.texts.add(f)
	if err != nil {
		g.failed = append(g.failed, err.(Errors)...)
		return nil
	}
	if root != nil {
		shift(root, before)
	}
	return root
}

// include adds to whole the files that part includes. part was read from file.
func (g *gatherer) include(whole, part *yaml.Node, file string, level int) {
	n := g.take(part, "include")
	if n == nil || isNull(n) {
		return
	}
	var patterns []string
	v := reflect.ValueOf(&patterns).Elem()
	known := len(g.errs)
	f := fieldsOf(reflect.TypeFor[writing]())[0]
	g.decode(n, f.key, v, f)
	if len(g.errs) > known {
		return
	}
	for i, pattern := range patterns {
		at := n
		if list := resolve(n); list.Kind == yaml.SequenceNode {
			at = list.Content[i]
		}
		path := index(f.key, i)
		if level > maxLevel {
			g.errorf(at, path, "too many levels of included files: the limit is %d", maxLevel)
			return
		}
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(file), pattern)
		}
		for _, name := range g.names(at, path, pattern) {
			if !g.join(whole, at, path, name, level) {
				return
			}
		}
	}
}

// identity returns the same text for a file's relative and absolute name.
func identity(name string) string {
	if absolute, err := filepath.Abs(name); err == nil {
		return absolute
	}
	return filepath.Clean(name)
}

// names returns the files that match a pattern.
func (g *gatherer) names(at *yaml.Node, path, pattern string) []string {
	if !isPattern(pattern) {
		g.folders = append(g.folders, filepath.Dir(pattern))
		return []string{filepath.Clean(pattern)}
	}
	g.folders = append(g.folders, foldersOf(pattern)...)
	names, err := g.from.match(pattern)
	if err != nil {
		g.errorf(at, path, "found %s: not a valid pattern: the ] is missing", found(pattern))
		return nil
	}
	names = slices.DeleteFunc(names, func(name string) bool { return isHidden(name, pattern) })
	if len(names) == 0 {
		g.doubts = append(g.doubts, Error{Line: at.Line, Column: at.Column, Path: path, Message: "no file matches " + pattern})
	}
	return names
}

// join adds one file to whole, unless it is there already, because it matches twice or includes its includer. It
// returns false if no more files may be read.
func (g *gatherer) join(whole, at *yaml.Node, path, name string, level int) bool {
	if g.seen[identity(name)] {
		return true
	}
	if len(g.files) >= maxFiles {
		g.errorf(at, path, "more than %d files", maxFiles)
		return false
	}
	text, err := g.from.read(name)
	if err != nil {
		g.seen[identity(name)] = true
		g.errorf(at, path, "%v", err)
		return true
	}
	if g.size+len(text) > maxBytes {
		g.errorf(at, path, "all files together are larger than %s", Size(maxBytes))
		return false
	}
	switch part := g.add(File{name, text}); {
	case part == nil:
	case part.Kind != yaml.MappingNode:
		g.errorf(part, "", "found %s: expected a mapping with keys such as routes and pools", field{typ: reflect.TypeFor[Config]()}.kindOf(part))
	default:
		g.include(whole, part, name, level+1)
		g.merge(whole, part)
	}
	return true
}

// merge adds the keys of part to whole. Decoding whole reports duplicate keys.
func (g *gatherer) merge(whole, part *yaml.Node) {
	kinds := map[string]yaml.Kind{"listeners": yaml.SequenceNode, "routes": yaml.SequenceNode, "pools": yaml.MappingNode}
	for i := 0; i+1 < len(part.Content); i += 2 {
		key, value := part.Content[i], part.Content[i+1]
		kind, several := kinds[key.Value]
		at := valueOf(whole, key.Value)
		switch {
		case isNull(value):
		case several && resolve(value).Kind != kind:
			expected := map[yaml.Kind]string{yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}[kind]
			g.errorf(value, key.Value, "found %s: expected %s", field{typ: reflect.TypeFor[Config]()}.kindOf(value), expected)
		case !several || at < 0 || isNull(whole.Content[at]) || resolve(whole.Content[at]).Kind != kind:
			whole.Content = append(whole.Content, key, value)
		default:
			both := *resolve(whole.Content[at])
			both.Anchor, both.Style = "", both.Style&^yaml.FlowStyle
			both.Content = slices.Concat(both.Content, resolve(value).Content)
			whole.Content[at] = &both
		}
	}
}

// valueOf returns the index of a key's value in a mapping, -1 if it is absent.
func valueOf(n *yaml.Node, key string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i + 1
		}
	}
	return -1
}

// take removes a key from a mapping, and returns its value; nil without one.
func (d *decoder) take(n *yaml.Node, key string) (value *yaml.Node) {
	var first *yaml.Node
	for {
		at := valueOf(n, key)
		if at < 0 {
			return value
		}
		k := n.Content[at-1]
		if first == nil {
			first, value = k, n.Content[at]
			d.note(key, entry{k, value})
		} else {
			d.errorf(k, key, "duplicate key: the first one is in %s", d.texts.tell(first.Line, k.Line))
		}
		n.Content = slices.Delete(n.Content, at-1, at+1)
	}
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// isHidden reports whether a name has a part that begins with a dot where the pattern has none: an editor's file, or a
// folder of Kubernetes.
func isHidden(name, pattern string) bool {
	parts, wanted := strings.Split(name, string(filepath.Separator)), strings.Split(pattern, string(filepath.Separator))
	for i := range min(len(parts), len(wanted)) {
		if strings.HasPrefix(parts[i], ".") && !strings.HasPrefix(wanted[i], ".") {
			return true
		}
	}
	return false
}

// foldersOf returns the folders that a pattern searches, and their parents.
func foldersOf(pattern string) []string {
	dir := filepath.Dir(pattern)
	if !isPattern(dir) {
		return []string{dir}
	}
	found, _ := filepath.Glob(dir) // a bad pattern is reported elsewhere
	for isPattern(dir) {
		dir = filepath.Dir(dir)
	}
	return append(found, cmp.Or(dir, "."))
}
