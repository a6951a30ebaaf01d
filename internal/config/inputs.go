package config

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"
)

// Inputs returns a hash of everything that [Load] reads for a configuration: the file, its included files, and the
// files that ${file:NAME} names. It also returns the folders to watch for changes of these files. An unreadable
// secret file counts by its error, so that the hash changes once the file is readable. The error is about the file itself.
func Inputs(path string) (sum [sha256.Size]byte, folders []string, err error) {
	text, err := Read(path)
	if err != nil {
		return sum, nil, err
	}
	h := sha256.New()
	note(h, path, text, nil)
	d := &decoder{texts: new(texts), env: os.LookupEnv, at: positions{}}
	g := newGatherer(d, disk{})
	root := g.add(File{path, text})
	if root != nil && root.Kind == yaml.MappingNode {
		g.include(root, root, path, 1)
		g.secrets(h, root)
	}
	for _, f := range g.files[1:] {
		note(h, f.Name, f.Text, nil)
	}
	if len(g.errs) > 0 {
		note(h, "", nil, g.errs)
	}
	folders = append(g.folders, filepath.Dir(path))
	slices.Sort(folders)
	return [sha256.Size]byte(h.Sum(nil)), slices.Compact(folders), nil
}

func note(h hash.Hash, name string, text []byte, err error) {
	fmt.Fprintf(h, "%q %d %v\n", name, len(text), err)
	h.Write(text)
}

// secrets adds the files that the values of a tree name.
func (g *gatherer) secrets(h hash.Hash, n *yaml.Node) {
	for _, child := range n.Content {
		g.secrets(h, child)
	}
	if n.Kind != yaml.ScalarNode {
		return
	}
	for _, m := range reference.FindAllStringSubmatch(n.Value, -1) {
		name := m[1]
		if name == "" {
			continue
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(g.folder(n.Line), name)
		}
		text, err := readRegular(name, maxSecret)
		note(h, name, text, err)
		g.folders = append(g.folders, filepath.Dir(name))
	}
}
