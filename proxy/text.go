package proxy

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
)

// Text is a compiled text with variables, for example "{client_ip} {header:X-Tenant}".
// docs/routing.md lists the variables. A Text is immutable and safe for concurrent use.
type Text struct {
	parts []textPart
	where where
	since vars.Place // the first place where all its variables have values
}

// textPart is plain text or a variable.
type textPart struct {
	plain string
	value
}

// where is the place of a text. It determines how to escape the values, so that a
// client's value cannot change the meaning of the text around it.
type where int

const (
	asIs     where = iota // the caller escapes it
	inField               // a field's value
	inTarget              // a URL
	inHTML                // HTML or XML
	inJSON                // a string of JSON or JavaScript
)

// NewText compiles a text about requests that have ended, for example a log line. It
// accepts all variables except {1} to {9}, which belong to redirects and headers of
// routes. An unknown variable is an error. Other braces stay unchanged.
func NewText(text string) (*Text, error) {
	t, unknown := compile(text, asIs)
	if parts, _ := vars.Parse(text); slices.ContainsFunc(parts, func(p vars.Part) bool { return p.Group > 0 }) {
		return nil, fmt.Errorf("%q: {1} to {9} have no value here", text)
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("%q: unknown variable {%s}", text, unknown[0])
	}
	return t, nil
}

// Append appends the text about a request to b. It does not escape values: the caller
// does so for its format. A variable without a value becomes empty.
func (t *Text) Append(b []byte, r *Record) []byte {
	return t.append(b, &subject{request: r.Request, client: r.Client, record: r})
}

// Of returns the text about a request, as Append does.
func (t *Text) Of(r *Record) string { return string(t.Append(nil, r)) }

// compile returns a text, and the names in braces that are not variables.
func compile(text string, at where) (t *Text, unknown []string) {
	parts, unknown := vars.Parse(text)
	t = &Text{where: at}
	for _, p := range parts {
		part := textPart{plain: p.Plain}
		if p.Plain == "" {
			part.value = valueOf(p)
		}
		t.parts = append(t.parts, part)
		t.since = max(t.since, p.Since)
	}
	return t, unknown
}

// compileNonPlain returns nil for a text without variables.
func compileNonPlain(text string, at where) *Text {
	t, _ := compile(text, at)
	if len(t.parts) == 0 || len(t.parts) == 1 && t.parts[0].plain == text {
		return nil
	}
	return t
}

func (t *Text) append(b []byte, s *subject) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		if p.of == nil {
			b = append(b, p.plain...)
			continue
		}
		text := p.of(s)
		b = t.where.append(b, text, p.inURL || p.host && validHost(text))
	}
	return b
}

// fill returns the text for an exchange.
func (t *Text) fill(x *exchange) string {
	var room [128]byte
	return string(t.append(room[:0], &subject{request: x.request, client: x.record.Client, record: &x.record, exchange: x}))
}

// append appends an escaped value. inURL means that the value is already encoded as a
// part of a URL.
func (at where) append(b []byte, value string, inURL bool) []byte {
	switch at {
	case inField:
		return appendField(b, value)
	case inTarget:
		if !inURL {
			value = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
		}
	case inHTML:
		value = html.EscapeString(value)
	case inJSON:
		quoted, _ := json.Marshal(value) // a string can always be encoded
		return append(b, scriptQuotes.Replace(string(quoted[1:len(quoted)-1]))...)
	}
	return append(b, value...)
}

// appendField appends a value, with the characters encoded that a field cannot have (RFC
// 9110, section 5.5). Names in certificates may contain them.
func appendField(b []byte, value string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			b = append(b, '%', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// scriptQuotes encodes the quotes of JavaScript that JSON does not have.
var scriptQuotes = strings.NewReplacer("'", `\u0027`, "`", `\u0060`)

// whereOf returns the place for a body of a media type. It reads the type as browsers do,
// which ignore everything after it, malformed or not.
func whereOf(contentType string) where {
	kind := strings.ToLower(strings.TrimLeft(contentType, " \t"))
	if end := strings.IndexAny(kind, " \t;,("); end >= 0 {
		kind = kind[:end]
	}
	switch {
	case kind == "text/html", strings.HasSuffix(kind, "xml"): // text/xml, image/svg+xml
		return inHTML
	case strings.HasSuffix(kind, "json"), strings.HasSuffix(kind, "javascript"): // application/problem+json
		return inJSON
	}
	return asIs
}
