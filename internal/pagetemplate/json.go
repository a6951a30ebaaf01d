package pagetemplate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// document is a place in JSON.
type document struct {
	quoted bool // inside a string
}

func (d document) String() string {
	if d.quoted {
		return "inside a string"
	}
	return "outside a string"
}

func (d document) literal(text string) (context, string, error) {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			d.quoted = !d.quoted
		case text[i] == '\\' && d.quoted:
			if i++; i == len(text) {
				return nil, "", errPartialEscape
			}
		}
	}
	return d, text, nil
}

var errPartialEscape = errors.New("the text ends within an escape, after a backslash")

func (d document) value() (writing, context, error) {
	if d.quoted {
		return writing{func(v any) string { return jsonText(text(v)) }, "js"}, d, nil
	}
	return writing{escape: jsonValue}, d, nil
}

func (d document) join(other context) (context, bool) { return d, d == other }

func (d document) end() error {
	if d.quoted {
		return errors.New("the document ends inside a string")
	}
	return nil
}

// jsonText escapes s for a string of JSON.
func jsonText(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		case r == utf8.RuneError:
			b.WriteRune(r) // U+FFFD for an invalid byte
		default:
			b.WriteString(s[i : i+utf8.RuneLen(r)])
		}
	}
	return b.String()
}

// jsonValue writes a whole value: a number, a bool or a string. It does not quote a text again
// that is already a JSON string, for example from printf "%q".
func jsonValue(v any) string {
	s, ok := v.(string)
	if !ok || strings.HasPrefix(s, `"`) && json.Valid([]byte(s)) {
		return text(v)
	}
	return `"` + jsonText(s) + `"`
}
