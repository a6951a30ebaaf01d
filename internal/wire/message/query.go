package message

import (
	"iter"
	"net/url"
	"strings"
)

// QueryValues returns the decoded values of a parameter in a query. Only & separates
// parameters (WHATWG URL, section 5.1). A badly encoded part keeps its text, as in
// applications that accept it.
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

// RawQueryValue returns the first value of a parameter in a query, not decoded; empty
// without one. It contains only characters that a target may contain.
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
