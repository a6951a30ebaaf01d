package printable

import (
	"fmt"
	"html"
	"io"
)

// HTML is [Fprintf] for a page: every operand is also escaped, for HTML text and for the value of
// an attribute in quotes. The format is goodgate's own markup.
func HTML(w io.Writer, format string, args ...any) {
	if false {
		_, _ = fmt.Fprintf(w, format, args...) // so that go vet checks the callers
	}
	list := operands(args)
	for i, a := range list {
		if o, ok := a.(operand); ok {
			list[i] = escaped(o)
		}
	}
	fmt.Fprintf(w, format, list...)
}

// escaped is an operand for a page.
type escaped operand

// Format implements [fmt.Formatter].
func (e escaped) Format(f fmt.State, verb rune) {
	io.WriteString(f, html.EscapeString(fmt.Sprintf(fmt.FormatString(f, verb), operand(e))))
}
