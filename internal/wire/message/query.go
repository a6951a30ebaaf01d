package message

import (
	"iter"
	"net/url"
	"strings"
)

// QueryValues returns the values of a parameter in a query, decoded. Parameters are
// separated by & alone (WHATWG URL, section 5.1). A part that is badly encoded stands
// for itself, as applications that do not refuse it take it.
func QueryValues(query, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(query, "&") {
			key, value, _ := strings.Cut(part, "=")
			if part != "" && unescaped(key) == name && !yield(unescaped(value)) {
				return
			}
		}
	}
}

// RawQueryValue returns the first value of a parameter in a query as it was sent,
// empty without one. It has no character that a target cannot have.
func RawQueryValue(query, name string) string {
	for part := range strings.SplitSeq(query, "&") {
		if key, value, _ := strings.Cut(part, "="); part != "" && unescaped(key) == name {
			return value
		}
	}
	return ""
}

func unescaped(text string) string {
	if !strings.ContainsAny(text, "%+") {
		return text
	}
	plain, err := url.QueryUnescape(text)
	if err != nil {
		return text
	}
	return plain
}
