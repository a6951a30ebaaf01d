package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"
)

const (
	excerptWidth = 100 // longest part of a line that is shown
	excerptLead  = 30  // part of it before the mistake in a shortened line
)

// Source is the text of a configuration file; [Source.Excerpt] shows lines of it. It is safe for concurrent use.
type Source struct{ lines []string }

// NewSource returns the source with a text.
func NewSource(data []byte) Source { return Source{strings.Split(string(data), "\n")} }

// Excerpt returns the line of an error, and a line with a mark below its column, without a final line break; "" if the
// error has no place. It hides possible secrets and comments.
func (s Source) Excerpt(e Error) string {
	if e.Line < 1 || e.Line > len(s.lines) {
		return ""
	}
	v := view{parent: s.parent(e.Line - 1), column: e.Column - 1}
	v.show([]rune(strings.TrimRight(s.lines[e.Line-1], " \t\r")))
	if strings.TrimSpace(string(v.out)) == "" {
		return ""
	}
	text, from, to := v.out, v.from, max(v.to, v.from+1)
	if from < 0 { // the mistake is behind the shown part
		from = len(text)
		to = from + 1
	}
	before, after := "", ""
	if len(text) > excerptWidth && from > excerptLead {
		cut := min(from-excerptLead, len(text)-excerptWidth)
		text, from, to, before = text[cut:], from-cut, to-cut, "..."
	}
	if len(text) > excerptWidth {
		text, after = text[:excerptWidth], "..."
	}
	to = max(min(to, len(text)), from+1)
	number := fmt.Sprintf("%5d", e.Line)
	return fmt.Sprintf("%s | %s%s%s\n%s | %s%s", number, before, string(text), after,
		strings.Repeat(" ", len(number)), strings.Repeat(" ", len(before)+from), strings.Repeat("^", to-from))
}

var lastKey = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_-]*)["']?:(?:\s|$)`)

// parent returns the key of the value in a line without a key, "" if it is unknown.
func (s Source) parent(i int) string {
	text := s.lines[i]
	indent := indentOf(text)
	isItem := strings.HasPrefix(text[indent:], "-")
	for i--; i >= 0; i-- {
		above := s.lines[i]
		content := strings.TrimSpace(above)
		if content == "" || content[0] == '#' {
			continue
		}
		at := indentOf(above)
		if at < indent || at == indent && isItem && content[0] != '-' {
			all := lastKey.FindAllStringSubmatch(above, -1)
			if all == nil {
				return ""
			}
			return all[len(all)-1][1]
		}
	}
	return ""
}

// view is a line in the form that is shown.
type view struct {
	parent   string // key of the values without one in this line
	column   int    // of the mistake in the file's line, from 0
	out      []rune
	from, to int // of the mark in out; from is -1 until it is found
}

// show shows a line: brackets and keys, and of values the parts that are not secret.
func (v *view) show(line []rune) {
	v.from = -1
	keys := []string{v.parent} // keys of the values in each open bracket
	for i := 0; i < len(line); {
		c := line[i]
		switch {
		case c == '#' && (i == 0 || line[i-1] == ' '):
			v.add(i, i+1, "")
			return
		case strings.ContainsRune("[{", c):
			keys = append(keys, keys[len(keys)-1])
			v.add(i, i+1, string(c))
			i++
		case strings.ContainsRune("]}", c):
			keys = keys[:max(1, len(keys)-1)]
			v.add(i, i+1, string(c))
			i++
		case strings.ContainsRune(", \t", c) || c == '-' && i+1 < len(line) && line[i+1] == ' ':
			v.add(i, i+1, strings.ReplaceAll(string(c), "\t", " "))
			i++
		default:
			end := scalarEnd(line, i)
			text := string(line[i:end])
			if end < len(line) && line[end] == ':' {
				keys[len(keys)-1] = strings.Trim(text, `"'`)
				if key := strings.Trim(text, `"'`); keyTold(key) != key {
					text = keyTold(key)
				}
				v.add(i, end, text)
				v.add(end, end+1, ":")
				end++
			} else {
				v.add(i, end, shown(keys[len(keys)-1], text))
			}
			i = end
		}
	}
}

// add shows text for the part of the line from i to end.
func (v *view) add(i, end int, text string) {
	if v.column >= i && v.column < end {
		v.from, v.to = len(v.out), len(v.out)+len([]rune(text))
	}
	v.out = append(v.out, []rune(text)...)
}

// scalarEnd returns the end of the key or value that begins at i.
func scalarEnd(line []rune, i int) int {
	if q := line[i]; q == '"' || q == '\'' {
		for end := i + 1; end < len(line); end++ {
			if q == '"' && line[end] == '\\' {
				end++
			} else if line[end] == q {
				return end + 1
			}
		}
		return len(line)
	}
	for end := i + 1; end <= len(line); end++ {
		if end == len(line) || strings.ContainsRune(",[]{}", line[end]) || line[end] == ':' && (end+1 == len(line) || line[end+1] == ' ') ||
			line[end] == '#' && line[end-1] == ' ' {
			for line[end-1] == ' ' {
				end--
			}
			return end
		}
	}
	return len(line)
}

// shown returns the public part of a value. Each key of that name must allow it.
func shown(key, text string) string {
	value := strings.Trim(text, `"'`)
	if name, rest, lacksSpace := strings.Cut(text, ":"); lacksSpace && !strings.HasPrefix(rest, "//") && len(fieldsNamed()[name]) > 0 {
		return name + ":" + shown(name, rest)
	}
	fields := fieldsNamed()[key]
	if value == "" {
		return text
	}
	if len(fields) == 0 {
		return hidden
	}
	for _, f := range fields {
		f.hasDefault = false
		mayBeURL := f.format != "regexp" && strings.ContainsAny(value, "?@") // a URL in the wrong place, with a password or a key
		if !isScalar(f.typ) {                                                // in place of keys
			if keyTold(value) != value {
				return hidden
			}
			continue
		}
		if mayBeURL || f.told(value) != value {
			return hidden
		}
	}
	return text
}

// fieldsNamed returns, by key, the values that each field holds: the entries of a list, and the field that a scalar
// sets by shorthand.
var fieldsNamed = sync.OnceValue(func() map[string][]field {
	all := map[string][]field{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for _, f := range fieldsOf(t) {
			e := f
			for !isScalar(e.typ) && e.typ.Kind() != reflect.Struct {
				e = e.element()
			}
			inner := e.typ
			if !f.nested && inner.Kind() == reflect.Struct && !isScalar(inner) {
				for _, sub := range fieldsOf(inner) {
					if sub.shorthand && isScalar(sub.typ) {
						e = sub
					}
				}
				walk(inner)
			}
			all[f.key] = append(all[f.key], e)
		}
	}
	walk(reflect.TypeFor[Config]())
	all["include"] = []field{fieldsOf(reflect.TypeFor[writing]())[0].element()}
	return all
})
