package logging

import (
	"bytes"
	"net/url"
	"strings"
)

// redacted replaces the value of a secret.
const redacted = "[redacted]"

// redactor hides the values of headers, cookies and query parameters whose names look
// like secrets. Its zero value shows none of them.
type redactor struct {
	shown map[string]bool // names in lower case to show
}

func newRedactor(shown []string) redactor {
	d := redactor{map[string]bool{}}
	for _, name := range shown {
		d.shown[strings.ToLower(name)] = true
	}
	return d
}

// Names outside these limits are not examined: no secret has a shorter one, and longer
// ones are hidden.
const (
	minName = 3
	maxName = 128
)

var (
	// secretParts make a name secret anywhere in it, secretWords only as a whole word:
	// Authorization, accessToken, X-Api-Key, but not monkey or author.
	secretParts = [...]string{"authoriz", "authentic", "cookie", "token", "secret", "passw", "passphrase", "credential", "session", "sessid", "signature", "apikey", "jwt", "csrf", "xsrf", "private"}
	secretWords = [...]string{"auth", "bearer", "key", "pass", "pwd", "sid", "sig", "otp", "pin", "sso", "saml"}
)

// hides reports whether the value of a header, a cookie or a parameter is redacted.
func (d redactor) hides(name string) bool {
	if len(name) < minName {
		return false
	}
	if len(name) > maxName {
		return true
	}
	var room [maxName]byte
	lower := append(room[:0], name...)
	for i, c := range lower {
		if c >= 'A' && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return namedSecret(name, lower) && !d.shown[string(lower)]
}

// namedSecret reports whether a name looks like a secret. lower is the name in lower
// case.
func namedSecret(name string, lower []byte) bool {
	for _, part := range secretParts {
		if bytes.Contains(lower, []byte(part)) {
			return true
		}
	}
	for start := 0; start < len(name); {
		end := start + 1
		for end < len(name) && !wordEnds(name[end-1], name[end]) {
			end++
		}
		for _, word := range secretWords {
			if string(lower[start:end]) == word {
				return true
			}
		}
		start = end
	}
	return false
}

// wordEnds reports whether a word ends between two characters of a name.
func wordEnds(a, b byte) bool {
	return !isLetter(a) || !isLetter(b) || a >= 'a' && b <= 'Z'
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// hidesParameter is hides for a parameter that the configuration does not name. There
// the code of OAuth (RFC 6749 section 4.1.2) is also a secret.
func (d redactor) hidesParameter(name string) bool {
	if strings.ContainsAny(name, "%+") {
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
	}
	return d.hides(name) || strings.EqualFold(name, "code") && !d.shown["code"]
}

// appendURI appends a URI with the secrets of its query and fragment hidden. It accepts
// any other text as well.
func (d redactor) appendURI(b []byte, uri string) []byte {
	i := strings.IndexAny(uri, "?#")
	if i < 0 {
		return append(b, uri...)
	}
	b = append(b, uri[:i+1]...)
	return d.appendQuery(b, uri[i+1:])
}

// parameterEnds end a parameter, also of a URI within a URI.
const parameterEnds = "&;#"

// appendQuery appends a query with its secrets hidden.
func (d redactor) appendQuery(b []byte, query string) []byte {
	for query != "" {
		pair, end := query, ""
		if i := strings.IndexAny(query, parameterEnds); i >= 0 {
			pair, end = query[:i], query[i:i+1]
		}
		query = query[len(pair)+len(end):]
		if name, value, ok := strings.Cut(pair, "="); ok && value != "" && (d.hidesParameter(name) || d.within(value)) {
			b = append(append(append(b, name...), '='), redacted...)
		} else {
			b = append(b, pair...)
		}
		b = append(b, end...)
	}
	return b
}

// within reports whether a value is a URI with a secret in its query.
func (d redactor) within(value string) bool {
	if strings.ContainsRune(value, '%') {
		if plain, err := url.QueryUnescape(value); err == nil {
			value = plain
		}
	}
	for strings.Contains(value, "=") {
		name, rest, _ := strings.Cut(value, "=")
		name = name[strings.LastIndexAny(name, "?"+parameterEnds)+1:]
		if d.hidesParameter(name) {
			return true
		}
		value = rest
	}
	return false
}
