package vars

import "strings"

// ParseRewrite is [Parse] for a text with groups of a match beside variables: $1, $name or
// ${name}. $$ stands for $, as in [regexp.Regexp.Expand].
func ParseRewrite(text string) (parts []Part, unknown []string) {
	var plain strings.Builder
	flush := func() {
		more, wrong := Parse(plain.String())
		parts, unknown = append(parts, more...), append(unknown, wrong...)
		plain.Reset()
	}
	for text != "" {
		before, after, found := strings.Cut(text, "$")
		plain.WriteString(before)
		if !found {
			break
		}
		name, size := groupName(after)
		switch {
		case strings.HasPrefix(after, "$"):
			plain.WriteByte('$')
			size = 1
		case name == "":
			plain.WriteByte('$')
		default:
			flush()
			parts = append(parts, Part{Match: "${" + name + "}", Since: Forward})
		}
		text = after[size:]
	}
	flush()
	return parts, unknown
}

// groupName returns the name of a group at the start of a text, behind its $, and its
// length there; 0 for none.
func groupName(text string) (name string, size int) {
	if inner, ok := strings.CutPrefix(text, "{"); ok {
		name, _, closed := strings.Cut(inner, "}")
		if !closed || !isGroup(name) {
			return "", 0
		}
		return name, len(name) + len("{}")
	}
	for size < len(text) && isGroup(text[:size+1]) {
		size++
	}
	return text[:size], size
}

func isGroup(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
