//go:build !minimal

package config

import (
	"errors"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Format returns a configuration file in the canonical layout: two spaces for each level, also for lists; one space
// after a colon and a dash; at most one blank line in a row; no space at the end of a line. It leaves comments,
// brackets, quoted text and block text unchanged. The error is [Errors], for invalid YAML.
func Format(name string, text []byte) ([]byte, error) {
	root, err := parseTree(name, text, true)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(string(text), "\ufeff"), "\r\n", "\n"), "\n")
	l := layout{lines: lines, keys: map[int]bool{}, items: map[int]bool{}}
	if root != nil {
		l.look(root)
	}
	l.write()
	out := []byte(strings.TrimSpace(strings.Join(l.out, "\n")) + "\n")
	again, err := parseTree(name, out, true)
	if err != nil || !sameTree(root, again) {
		return nil, Errors{{File: name, Message: errUnusual.Error()}}
	}
	return out, nil
}

var errUnusual = errors.New("this layout is too unusual to change safely; write each key and each entry of a list on a line of its own")

// layout moves the lines of a file.
type layout struct {
	lines  []string
	keys   map[int]bool // lines that begin with a key, perhaps after dashes; from 1
	items  map[int]bool // lines with the entry of a list
	levels []level
	out    []string
	shift  int // shift of the previous line, for lines that continue its value
	below  int // line with a comment aligned below another's #, from 1
}

// level is a mapping or a list around a line.
type level struct {
	was, is int // indentation
	isList  bool
}

// look records the lines on which keys and entries begin.
func (l *layout) look(n *yaml.Node) {
	block := n.Style&yaml.FlowStyle == 0
	switch {
	case !block && n.Kind != yaml.ScalarNode: // the layout ignores keys in brackets
		return
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			l.keys[n.Content[i].Line] = true
			l.look(n.Content[i+1])
		}
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			l.items[item.Line] = true
			l.look(item)
		}
	}
}

var (
	dash      = regexp.MustCompile(`^-(?: +|$)`)
	spacedKey = regexp.MustCompile(`^([A-Za-z0-9_.*-]+|<<|"[^"\\]*"|'[^']*'):[ \t]+([^ \t#].*)$`)
	textBlock = regexp.MustCompile(`(?:^|[ :])[|>][0-9+-]*\s*(?:#.*)?$`)
)

func (l *layout) write() {
	for i := 0; i < len(l.lines); i++ {
		text := strings.TrimRight(l.lines[i], " \t")
		content := strings.TrimLeft(text, " ")
		indent := len(text) - len(content)
		switch {
		case content == "":
			if n := len(l.out); n > 0 && l.out[n-1] != "" {
				l.out = append(l.out, "")
			}
		case l.structural(i, content):
			if owner := l.place(indent, content); textBlock.MatchString(content) {
				i = l.block(i, owner)
			}
		case content[0] == '#':
			l.comment(i, indent, content)
		default:
			l.goOn(text)
		}
	}
}

// structural reports whether a line begins with a key, an entry, or a dash.
func (l *layout) structural(i int, content string) bool {
	return l.keys[i+1] || l.items[i+1] && dash.MatchString(content) || content == "-"
}

// place writes a line that begins with a key or a dash, and returns the column of its last key or dash. The value is
// further right.
func (l *layout) place(indent int, content string) (owner int) {
	is := l.at(indent, dash.MatchString(content))
	line, was := strings.Repeat(" ", is), indent
	for {
		lead := dash.FindString(content)
		if lead == "" {
			break
		}
		if content = content[len(lead):]; content == "" {
			line += "-"
			break
		}
		owner = was
		line, was, is = line+"- ", was+len(lead), is+2
		if next := dash.MatchString(content); next || spacedKey.MatchString(content) || strings.Contains(content, ":") {
			l.levels = append(l.levels, level{was, is, next})
		}
	}
	if m := spacedKey.FindStringSubmatch(content); m != nil {
		content = m[1] + ": " + m[2]
	}
	l.shift = is - was
	l.out = append(l.out, line+content)
	if content != "" && !strings.ContainsAny(content[:1], "|>") {
		return was
	}
	return owner
}

// at returns the new indentation of a line, and makes its level the innermost.
func (l *layout) at(indent int, isList bool) int {
	for n := len(l.levels); n > 0; n-- {
		top := l.levels[n-1]
		if top.was < indent || top.was == indent && (top.isList == isList || isList) {
			break
		}
		l.levels = l.levels[:n-1]
	}
	is := 0
	if n := len(l.levels); n > 0 {
		top := l.levels[n-1]
		if top.was == indent && top.isList == isList {
			return top.is
		}
		is = top.is + 2
	}
	l.levels = append(l.levels, level{indent, is, isList})
	return is
}

// aligned returns the column of a comment that is below the # of the line above; -1 if it is not.
func (l *layout) aligned(i, indent int) int {
	if i == 0 || indent == 0 {
		return -1
	}
	above := strings.TrimRight(l.lines[i-1], " \t")
	if len(above) <= indent || above[indent] != '#' || above[indent-1] != ' ' {
		return -1
	}
	if strings.TrimSpace(above[:indent]) == "" && l.below != i {
		return -1
	}
	l.below = i + 1
	return len(l.out[len(l.out)-1]) - (len(above) - indent)
}

// comment writes a comment at the indentation of the line below it, or of its own level if that level continues above
// it.
func (l *layout) comment(i, indent int, content string) {
	if at := l.aligned(i, indent); at >= 0 {
		l.out = append(l.out, strings.Repeat(" ", at)+content)
		return
	}
	for j := i + 1; j < len(l.lines); j++ {
		below := strings.TrimRight(l.lines[j], " \t")
		next := strings.TrimLeft(below, " ")
		if next == "" || next[0] == '#' && !l.structural(j, next) {
			continue
		}
		if !l.structural(j, next) {
			l.goOn(l.lines[i])
			return
		}
		if at := len(below) - len(next); at >= indent || !l.has(indent) {
			levels := append([]level(nil), l.levels...)
			l.out = append(l.out, strings.Repeat(" ", l.at(at, dash.MatchString(next)))+content)
			l.levels = levels
			return
		}
		break
	}
	is := 0
	for _, v := range l.levels {
		if v.was <= indent {
			is = v.is
		}
	}
	l.out = append(l.out, strings.Repeat(" ", is)+content)
}

// has reports whether a level around the last line has the indentation.
func (l *layout) has(indent int) bool {
	for _, v := range l.levels {
		if v.was == indent {
			return true
		}
	}
	return false
}

// goOn writes a line that continues the value of the previous one.
func (l *layout) goOn(text string) { l.out = append(l.out, shifted(text, l.shift)) }

// block writes the lines of a block text unchanged, and returns the last one.
func (l *layout) block(i, indent int) int {
	last := i
	for j := i + 1; j < len(l.lines); j++ {
		if strings.TrimSpace(l.lines[j]) == "" {
			continue
		}
		if indentOf(l.lines[j]) <= indent {
			break
		}
		last = j
	}
	for _, text := range l.lines[i+1 : last+1] {
		l.out = append(l.out, shifted(text, l.shift))
	}
	return last
}

// shifted moves a line by some columns, as far as possible.
func shifted(text string, by int) string {
	switch n := indentOf(text); {
	case strings.TrimSpace(text) == "":
		return strings.TrimRight(text, " ")
	case by >= 0:
		return strings.Repeat(" ", by) + text
	default:
		return text[min(-by, n):]
	}
}

// sameTree reports whether two trees have the same content.
func sameTree(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Tag != b.Tag || a.Value != b.Value || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) || a.Style != b.Style {
		return false
	}
	for i := range a.Content {
		if !sameTree(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}
