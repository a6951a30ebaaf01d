// Package vars parses texts with variables, such as {client_ip} or {header:X-Tenant}. It
// knows their names, and where each of them has a value. The values come from the proxy.
package vars

import (
	"slices"
	"strings"
)

// Place is the place of a text. A later place has all values of the earlier ones.
type Place int

const (
	Key     Place = iota // a key for counting or balancing: the request and its client are known
	Arrival              // a redirect or a fixed answer: the route is known, too
	Forward              // the request to an upstream: the pool is known, too
	Answer               // an answer or the log: the upstreams are known, too
)

// variable describes a variable.
type variable struct {
	name      string
	since     Place // the first place with its value
	parameter bool  // it needs a name: {header:NAME}
}

// table returns all variables, in the order of the documentation.
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
	Plain     string // plain text; empty for the others
	Name      string // name of a variable, without braces and parameter
	Parameter string // parameter of a variable
	Group     int    // 1 to 9; 0 = no group
	Match     string // a group of the match of a rewrite, for example ${name}; see ParseRewrite
	Since     Place  // the first place with the value
}

// Parse returns the parts of a text, and the words in braces that look like a variable
// and are none. These and all other braces are plain text. A backslash before a brace
// makes a word plain text: \{host} means {host}.
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

// lookUp returns the variable with a name and a parameter.
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

// split splits a word at its parameter: {header:NAME} and {header.NAME} are the same.
func split(word string) (kind, parameter string) {
	if i := strings.IndexAny(word, ":."); i > 0 {
		return word[:i], word[i+1:]
	}
	return word, ""
}

// looksLike reports whether a word in braces is probably meant as a variable: up to its
// parameter it has only the letters of one.
func looksLike(word string) bool {
	kind, _ := split(word)
	return kind != "" && (kind[0] < '0' || kind[0] > '9') && !strings.ContainsFunc(kind, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// Names returns the variables with values at a place, without braces.
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

// Takes reports whether a variable needs a name: {header:NAME}.
func Takes(word string) bool {
	return slices.ContainsFunc(table(), func(v variable) bool { return v.parameter && v.name == word })
}

// Literal reports whether a text has no variables.
func Literal(text string) bool {
	parts, _ := Parse(text)
	return text == "" || len(parts) == 1 && parts[0].Plain == text
}

// Escape puts a backslash before words that look like variables and are none, so that
// they are not mistakes.
func Escape(text string) string {
	_, unknown := Parse(text)
	slices.Sort(unknown)
	for _, word := range slices.Compact(unknown) {
		text = strings.ReplaceAll(text, "{"+word+"}", `\{`+word+"}")
	}
	return text
}
