package printable

import (
	"fmt"
	"html"
	"io"
)

// HTML is [Fprintf] for a page. It also escapes every operand for HTML text and for a quoted
// attribute value. The format must be goodgate's own markup.
func HTML(w io.Writer, format string, args ...any) {
	if false {
		_, _ = fmt.Fprintf(w, format, args...) // makes go vet check the callers
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
