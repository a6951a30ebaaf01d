// Package printable makes text from outside safe to show. Clients, upstreams, name
// servers, certificates, logs and configurations of other proxies all influence
// goodgate's output. In such text a terminal would obey an escape sequence, a log would
// get one more line, and a bidi override would show a wrong name.
//
// Every command, log, page and event shows such text through this package. Characters
// that are not printable become escapes as in Go source: \n, \x1b, \u202e.
package printable

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// most limits the shown part of one text, in bytes.
const most = 4 << 10

// Text returns s as one line of printable characters. It returns printable text
// unchanged, and cuts a very long text.
func Text(s string) string {
	cut := 0
	if len(s) > most {
		end := most
		for end > most-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		s, cut = s[:end], len(s)-end
	}
	if i := first(s); i < len(s) {
		s = string(escape(append(make([]byte, 0, len(s)+32), s[:i]...), s[i:]))
	}
	if cut > 0 {
		s += fmt.Sprintf("... (%d more bytes)", cut)
	}
	return s
}

// Lines is [Text] for a text whose line breaks are goodgate's own.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Text(lines[i])
	}
	return strings.Join(lines, "\n")
}

// Sprintf is fmt.Sprintf with every operand made printable. The format must be
// goodgate's own text, because it stays as it is.
func Sprintf(format string, args ...any) string {
	if false {
		_ = fmt.Sprintf(format, args...) // so that go vet checks the callers
	}
	return fmt.Sprintf(format, operands(args)...)
}

// Fprintf is fmt.Fprintf with every operand made printable, like [Sprintf].
func Fprintf(w io.Writer, format string, args ...any) {
	if false {
		_, _ = fmt.Fprintf(w, format, args...) // so that go vet checks the callers
	}
	fmt.Fprintf(w, format, operands(args)...)
}

// Fprintln is fmt.Fprintln with every operand made printable.
func Fprintln(w io.Writer, args ...any) { fmt.Fprintln(w, operands(args)...) }

func operands(args []any) []any {
	list := make([]any, len(args))
	for i, a := range args {
		if _, number := a.(int); number {
			list[i] = a // may be a width
			continue
		}
		list[i] = operand{a}
	}
	return list
}

// operand formats a value as fmt does, and makes the result printable.
type operand struct{ value any }

// Format implements [fmt.Formatter].
func (o operand) Format(f fmt.State, verb rune) {
	io.WriteString(f, Text(fmt.Sprintf(fmt.FormatString(f, verb), o.value)))
}

// first returns the position of the first character that is not printable, len(s) if
// there is none.
func first(s string) int {
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if !printable(r, size) {
			return i
		}
		i += size
	}
	return len(s)
}

// printable reports whether a character of size bytes is visible as itself and has no
// other effect: no control character (C0, DEL, C1), no bidi override, no character
// without a width, no space except the plain one, no invalid UTF-8.
func printable(r rune, size int) bool {
	if r < utf8.RuneSelf {
		return ' ' <= r && r < 0x7f
	}
	return unicode.IsPrint(r) && (r != utf8.RuneError || size > 1)
}

// escape appends s, with escapes for the characters that are not printable.
func escape(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case printable(r, size):
			b = append(b, s[i:i+size]...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case size == 1:
			b = hex(append(b, `\x`...), uint32(s[i]), 2)
		case r > 0xffff:
			b = hex(append(b, `\U`...), uint32(r), 8)
		default:
			b = hex(append(b, `\u`...), uint32(r), 4)
		}
		i += size
	}
	return b
}

func hex(b []byte, n uint32, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[n>>shift&15])
	}
	return b
}
