// Package vars reads texts with variables, such as {client_ip} or {header:X-Tenant}.
// It knows their names and where each of them has a value. What the value is, the proxy
// knows.
package vars

import (
	"slices"
	"strings"
)

// Place is where a text stands. A later place knows everything that an earlier one knows.
type Place int

const (
	Key     Place = iota // a key that requests are counted or balanced by: the request and its client are known
	Arrival              // a redirect, a fixed answer: the route is known as well
	Forward              // the request to an upstream: the pool is known as well
	Answer               // an answer, the log: the upstreams are known as well
)

// variable is what the package knows of a variable.
type variable struct {
	name      string
	since     Place // the first place that knows its value
	parameter bool  // it is written with a name of its own: {header:NAME}
}

// table has all variables, in the order of the documentation.
func table() []variable {
	return []variable{
		{"client_ip", Key, false}, {"client_port", Key, false}, {"server_port", Key, false},
		{"scheme", Key, false}, {"host", Key, false}, {"hostname", Key, false}, {"method", Key, false}, {"protocol", Key, false},
		{"forwarded_proto", Key, false}, {"forwarded_host", Key, false}, {"forwarded_port", Key, false},
		{"uri", Key, false}, {"path", Key, false}, {"query", Key, false}, {"args", Key, false},
		{"header", Key, true}, {"cookie", Key, true}, {"query", Key, true},
		{"tls.version", Key, false}, {"tls.cipher", Key, false}, {"tls.server_name", Key, false}, {"tls.protocol", Key, false}, {"tls.resumed", Key, false},
		{"tls.client.subject", Key, false}, {"tls.client.issuer", Key, false}, {"tls.client.serial", Key, false}, {"tls.client.fingerprint", Key, false},
		{"tls.client.dns_names", Key, false}, {"tls.client.uris", Key, false}, {"tls.client.emails", Key, false},
		{"tls.client.not_before", Key, false}, {"tls.client.not_after", Key, false}, {"tls.client.certificate", Key, false},
		{"request_id", Arrival, false}, {"route", Arrival, false},
		{"pool", Forward, false},
		{"upstream", Answer, false}, {"upstreams", Answer, false},
	}
}

// Part is a part of a text: plain text, a variable, or a group of the route's expression.
type Part struct {
	Plain     string // as it is; empty for the others
	Name      string // of a variable, without braces and parameter
	Parameter string // of a variable that has one
	Group     int    // 1 to 9; 0 = no group
	Since     Place  // the first place that knows the value
}

// Parse returns the parts of a text, and those words in braces that look like a variable
// and are none. These and all other braces stay as they are. A backslash before a brace
// keeps a word from being a variable: \{host} stands for {host}.
func Parse(text string) (parts []Part, unknown []string) {
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			parts = append(parts, Part{Plain: plain.String()})
			plain.Reset()
		}
	}
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			break
		}
		size := strings.IndexAny(text[open+1:], "{}")
		if size < 0 || text[open+1+size] == '{' {
			plain.WriteString(text[:open+1])
			text = text[open+1:]
			continue
		}
		word, end := text[open+1:open+1+size], open+size+2
		part, known := lookUp(word)
		switch before, escaped := strings.CutSuffix(text[:open], `\`); {
		case escaped && (known || looksLike(word)):
			plain.WriteString(before + text[open:end])
		case known:
			plain.WriteString(text[:open])
			flush()
			parts = append(parts, part)
		default:
			if looksLike(word) {
				unknown = append(unknown, word)
			}
			plain.WriteString(text[:end])
		}
		text = text[end:]
	}
	plain.WriteString(text)
	flush()
	return parts, unknown
}

// lookUp returns the variable that a word stands for.
func lookUp(word string) (Part, bool) {
	if len(word) == 1 && word[0] >= '1' && word[0] <= '9' {
		return Part{Group: int(word[0] - '0'), Since: Arrival}, true
	}
	kind, parameter := split(word)
	for _, v := range table() {
		switch {
		case v.parameter && v.name == kind && parameter != "":
			return Part{Name: kind + ":", Parameter: parameter, Since: v.since}, true
		case !v.parameter && v.name == word:
			return Part{Name: word, Since: v.since}, true
		}
	}
	return Part{}, false
}

// split takes the parameter off a word: {header:NAME} and {header.NAME} are the same.
func split(word string) (kind, parameter string) {
	if i := strings.IndexAny(word, ":."); i > 0 {
		return word[:i], word[i+1:]
	}
	return word, ""
}

// looksLike reports whether a word in braces is meant as a variable: it has the letters of
// one, up to its parameter.
func looksLike(word string) bool {
	kind, _ := split(word)
	return kind != "" && (kind[0] < '0' || kind[0] > '9') && !strings.ContainsFunc(kind, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// Names returns how the variables that a place knows are written, without braces.
func Names(at Place) (names []string) {
	for _, v := range table() {
		name := v.name
		if v.parameter {
			name += ":NAME"
		}
		if v.since <= at {
			names = append(names, name)
		}
	}
	return names
}

// Takes reports whether a variable has to be written with a name: {header:NAME}.
func Takes(word string) bool {
	return slices.ContainsFunc(table(), func(v variable) bool { return v.parameter && v.name == word })
}

// Literal reports whether a text stands for itself.
func Literal(text string) bool {
	parts, _ := Parse(text)
	return text == "" || len(parts) == 1 && parts[0].Plain == text
}

// Escape puts a backslash before words that look like variables and are none, so that
// they are no mistakes.
func Escape(text string) string {
	_, unknown := Parse(text)
	slices.Sort(unknown)
	for _, word := range slices.Compact(unknown) {
		text = strings.ReplaceAll(text, "{"+word+"}", `\{`+word+"}")
	}
	return text
}
