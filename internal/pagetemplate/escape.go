package pagetemplate

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// htmlText escapes s for text and for an attribute's value in quotes.
func htmlText(s string) string { return html.EscapeString(s) }

// escaped replaces by the result of by: control characters, U+2028, U+2029, and each other ASCII
// character that is neither alphanumeric nor in keep. A byte that is not UTF-8 becomes U+FFFD.
func escaped(s, keep string, by func(r rune) string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80 && (letter(byte(r)) || '0' <= r && r <= '9'), r < 0x80 && strings.ContainsRune(keep, r), r > '\u2029', r > 0x9f && r < '\u2028':
			b.WriteRune(r)
		default:
			b.WriteString(by(r))
		}
	}
	return b.String()
}

// bareText escapes s for an attribute's value without quotes.
func bareText(s string) string {
	return escaped(s, "-._", func(r rune) string { return fmt.Sprintf("&#%d;", r) })
}

// jsText escapes s for a string, a template literal and a comment of JavaScript. The escapes are
// also valid in JSON.
func jsText(s string) string {
	return escaped(s, " -._,", func(r rune) string { return fmt.Sprintf(`\u%04x`, r) })
}

// jsValue writes a value as a literal of JavaScript, separated from a name or a number beside it.
func jsValue(v any) string {
	if s, ok := v.(string); ok {
		return `"` + jsText(s) + `"`
	}
	return " " + text(v) + " "
}

// cssText escapes s for CSS. Inside and outside of strings, an escaped character has no special
// meaning (CSS Syntax Level 3, section 4.3.7).
func cssText(s string) string {
	return escaped(s, " -._", func(r rune) string { return fmt.Sprintf(`\%x `, r) })
}

// urlText escapes s for a part of a URL: it keeps the unreserved characters (RFC 3986, section
// 2.3).
func urlText(s string) string { return percent(s, "-._~") }

// urlPath also keeps existing escapes, and the reserved characters except those that CSS and HTML
// use.
func urlPath(s string) string { return percent(s, "-._~!#$&*+,/:;=?@[]%") }

func percent(s, keep string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '%' && strings.Contains(keep, "%") && !hexadecimal(s[i+1:]):
			b.WriteString("%25")
		case letter(c), '0' <= c && c <= '9', strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// hexadecimal reports whether s begins with two hexadecimal digits.
func hexadecimal(s string) bool {
	digit := func(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }
	return len(s) >= 2 && digit(s[0]) && digit(s[1])
}

// urlReference is urlPath for a whole URL. It replaces a URL whose scheme may run a script.
func urlReference(s string) string {
	scheme, _, ok := strings.Cut(s, ":")
	if ok && !strings.Contains(scheme, "/") && !slices.Contains([]string{"http", "https", "mailto"}, strings.ToLower(scheme)) {
		return "#ZgotmplZ" // as html/template does
	}
	return urlPath(s)
}
