package logging

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goodgate/goodgate/internal/similar"
	"github.com/goodgate/goodgate/proxy"
)

// value appends the value of a variable in a record; nothing if it has none.
type value func(b []byte, r *proxy.Record) []byte

// part is a part of a template: text or a variable.
type part struct {
	text string
	of   value // nil = text
}

// template is a text with variables.
type template struct {
	parts []part
	needs proxy.ResponseFields // fields of responses in it
	hides []string             // names with redacted values
}

// escape makes values safe for the text around them.
type escape struct {
	missing string // in place of a missing value
	append  func(b []byte, raw []byte) []byte
}

// escapes has the values of log_format's parameter escape.
var escapes = map[string]escape{
	"default": {"-", appendEscaped[[]byte]},
	"json":    {"", appendInJSON},
	"none":    {"", appendOneLine},
}

// render appends the record, with its values escaped.
func (t *template) render(b []byte, r *proxy.Record, e escape) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		if p.of == nil {
			b = append(b, p.text...)
			continue
		}
		start := len(b)
		b = p.of(b, r)
		switch raw := b[start:]; {
		case len(raw) == 0:
			b = append(b, e.missing...)
		case !simple(raw):
			b = e.append(b[:start], []byte(string(raw)))
		}
	}
	return b
}

// simple reports whether a value is the same in every escape.
func simple(raw []byte) bool {
	for _, c := range raw {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendInJSON escapes for a JSON string. It replaces invalid UTF-8, because many
// readers would reject the whole record.
func appendInJSON(b []byte, raw []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range strings.ToValidUTF8(string(raw), string(utf8.RuneError)) {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return b
}

// appendOneLine escapes only characters that would start another record.
func appendOneLine(b []byte, raw []byte) []byte {
	for _, c := range raw {
		switch c {
		case '\n':
			b = append(b, `\x0A`...)
		case '\r':
			b = append(b, `\x0D`...)
		default:
			b = append(b, c)
		}
	}
	return b
}

var errLineBreak = errors.New("has a line break: a record is one line; write several lines as >- in YAML")

// parseDollars parses a format with variables as in nginx's log_format: $name or
// ${name}.
func parseDollars(text string, d redactor) (*template, error) {
	if strings.ContainsAny(text, "\n\r") {
		return nil, errLineBreak
	}
	c := compiler{redactor: d}
	for text != "" {
		before, after, found := strings.Cut(text, "$")
		c.text(before)
		if !found {
			break
		}
		name, rest := dollarName(after)
		if name == "" {
			return nil, errors.New("$ without the name of a variable, as in $status")
		}
		if err := c.dollar(name); err != nil {
			return nil, err
		}
		text = rest
	}
	return &c.template, nil
}

// dollarName splits the name of a variable from the text after it.
func dollarName(text string) (name, rest string) {
	if inner, ok := strings.CutPrefix(text, "{"); ok {
		name, rest, ok = strings.Cut(inner, "}")
		if !ok || nameEnd(name) < len(name) {
			return "", text
		}
		return name, rest
	}
	end := nameEnd(text)
	return text[:end], text[end:]
}

func nameEnd(text string) int {
	for i := range len(text) {
		if c := text[i]; c != '_' && !isLetter(c) && (c < '0' || c > '9') {
			return i
		}
	}
	return len(text)
}

// compiler collects the parts of a template.
type compiler struct {
	template
	redactor redactor
}

func (c *compiler) text(s string) {
	if s != "" {
		c.parts = append(c.parts, part{text: s})
	}
}

func (c *compiler) value(v value) { c.parts = append(c.parts, part{of: v}) }

// named adds the value of a header, a cookie or a parameter, which may be a secret.
func (c *compiler) named(name string, of func(*proxy.Record) string) {
	if c.redactor.hides(name) {
		c.hides = append(c.hides, name)
		c.value(func(b []byte, r *proxy.Record) []byte {
			if of(r) == "" {
				return b
			}
			return append(b, redacted...)
		})
		return
	}
	d := c.redactor
	c.value(func(b []byte, r *proxy.Record) []byte { return d.appendURI(b, of(r)) })
}

func (c *compiler) sentHeader(name string) {
	c.needs.Sent = append(c.needs.Sent, name)
	c.named(name, func(r *proxy.Record) string { return r.SentField(name) })
}

func (c *compiler) upstreamHeader(name string) {
	c.needs.Upstream = append(c.needs.Upstream, name)
	c.named(name, func(r *proxy.Record) string { return r.UpstreamField(name) })
}

// unknown returns the error for an unknown name.
func unknown(name, form string, known []string) error {
	hint := ""
	if near := similar.Nearest(name, known); near != "" {
		hint = fmt.Sprintf(" (did you mean "+form+"?)", near)
	}
	return fmt.Errorf("unknown variable "+form+"%s", name, hint)
}
