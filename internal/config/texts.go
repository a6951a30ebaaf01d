package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// File is one of the files that a configuration was read from.
type File struct {
	Name string
	Text []byte // secrets included
}

// texts are the files of a configuration in one sequence: the first line of a file follows the last line of the
// previous one. Nodes and positions count lines in this sequence, so that one number means file and line. A nil texts
// is a configuration without a file.
type texts struct {
	names []string
	first []int // number of lines before each file
	lines []string
}

// add appends a file, and returns the number of lines before it.
func (t *texts) add(f File) (before int) {
	before = len(t.lines)
	t.names, t.first = append(t.names, f.Name), append(t.first, before)
	t.lines = append(t.lines, strings.Split(string(f.Text), "\n")...)
	return before
}

// place returns the file of a line, and its number there. Line 0 is in the main file, without a place.
func (t *texts) place(line int) (file string, own int) {
	if t == nil || len(t.names) == 0 {
		return "", line
	}
	i := 0
	for i+1 < len(t.first) && line > t.first[i+1] {
		i++
	}
	return t.names[i], line - t.first[i]
}

// tell names a line relative to another: "line 7", or "conf.d/a.yaml:7" in another file.
func (t *texts) tell(line, from int) string {
	file, own := t.place(line)
	if here, _ := t.place(from); here != file {
		return fmt.Sprintf("%s:%d", file, own)
	}
	return fmt.Sprintf("line %d", own)
}

// locate sets the file of each mistake, and its line there.
func (t *texts) locate(errs Errors) Errors {
	for i, e := range errs {
		errs[i].File, errs[i].Line = t.place(e.Line)
	}
	return errs
}

// shift moves a tree down.
func shift(n *yaml.Node, by int) {
	n.Line += by
	for _, child := range n.Content {
		shift(child, by)
	}
}
