package pagetemplate

import (
	"errors"
	"fmt"
	"html"
	"strings"
)

// place is a place in a page of HTML.
type place struct {
	state  state
	tag    string // the name of the open tag; begins with a slash for an end tag
	quote  byte   // the quote around the attribute's value; 0 = none
	kind   content
	url    part   // the position in the URL, if kind is address
	script script // the place in the script, if kind is code
}

type state int

const (
	inText      state = iota
	inComment         // dropped from the page
	inDoctype         // a declaration, or <?xml>
	afterName         // after a tag's name, or after joined branches: only a separator may follow
	inTag             // between attributes
	inName            // after an attribute's name
	beforeEqual       // after an attribute's name and white space
	beforeValue       // after an attribute's =
	inValue           // in an attribute's value
	inElement         // in an element whose content is not HTML: script, style, title or textarea
)

func (s state) String() string {
	return [...]string{"text", "a comment", "a declaration", "a tag", "a tag", "a tag", "a tag", "a tag", "a value", "an element"}[s]
}

// content is the language of a value or an element.
type content int

const (
	plain     content = iota // text
	address                  // a URL
	addresses                // a list of URLs: srcset
	style                    // CSS
	code                     // JavaScript
	refresh                  // a meta element's content, which may lead to a URL
	inner                    // a whole page: srcdoc
)

const (
	space     = " \t\n\f\r"
	endOfName = space + "/>"
)

func (p place) String() string {
	switch {
	case p.state == inElement && p.kind == code, p.state == inValue && p.kind == code:
		return p.script.in.String()
	case p.state == inElement:
		return "<" + p.tag + ">"
	}
	return p.state.String()
}

func (p place) end() error {
	if p.state != inText {
		return fmt.Errorf("the page ends in %v", p)
	}
	return nil
}

func (p place) join(other context) (context, bool) {
	a, b := p, other.(place)
	if a.between() && b.between() && a.tag == b.tag {
		state := inTag
		if a.open() || b.open() {
			state = afterName
		}
		return place{state: state, tag: a.tag}, true
	}
	if a.state == beforeValue && b.state == inValue && b.quote == 0 {
		a.state = inValue
	}
	if b.state == beforeValue && a.state == inValue && a.quote == 0 {
		b.state = inValue
	}
	if a.url != b.url {
		a.url, b.url = unclear, unclear
	}
	if a.script.slash != b.script.slash {
		a.script.slash, b.script.slash = ambiguous, ambiguous
	}
	return a, a == b
}

// between reports whether p is inside a tag and outside of values.
func (p place) between() bool { return p.state >= afterName && p.state <= beforeEqual }

// open reports whether the next characters could extend a name.
func (p place) open() bool { return p.state == afterName || p.state == inName }

func (p place) literal(text string) (context, string, error) {
	var out strings.Builder
	for text != "" {
		n, err := p.read(text, &out)
		if err != nil {
			return nil, "", err
		}
		text = text[n:]
	}
	return p, out.String(), nil
}

// read consumes a part of text, writes it to out, and returns its length.
func (p *place) read(text string, out *strings.Builder) (n int, err error) {
	switch p.state {
	case inText:
		return p.readText(text, out), nil
	case inComment:
		return p.until("-->", text), nil
	case inDoctype:
		n = p.until(">", text)
	case inValue:
		n, err = p.readValue(text)
	case inElement:
		n, err = p.readElement(text)
	default:
		n, err = p.readTag(text)
	}
	out.WriteString(text[:n])
	return n, err
}

// until consumes text up to and including end, after which HTML text begins.
func (p *place) until(end, text string) int {
	i := strings.Index(text, end)
	if i < 0 {
		return len(text)
	}
	*p = place{}
	return i + len(end)
}

func (p *place) readText(text string, out *strings.Builder) int {
	i := strings.IndexByte(text, '<')
	if i < 0 {
		out.WriteString(text)
		return len(text)
	}
	out.WriteString(text[:i])
	rest := text[i:]
	n := tagName(rest)
	switch {
	case strings.HasPrefix(rest, "<!--"):
		p.state = inComment
		return i + len("<!--")
	case n > 0:
		p.state, p.tag = afterName, strings.ToLower(rest[1:n])
	case len(rest) > len("</") && strings.IndexByte("!?/", rest[1]) >= 0:
		p.state, n = inDoctype, 1
	default: // a value after it could turn it into a tag
		out.WriteString("&lt;")
		return i + 1
	}
	out.WriteString(rest[:n])
	return i + n
}

// tagName returns the length of a tag's opening bracket and name at the beginning of text, 0
// if there is no tag.
func tagName(text string) int {
	i := 1
	if strings.HasPrefix(text, "</") {
		i = 2
	}
	if i == len(text) || !letter(text[i]) {
		return 0
	}
	if n := strings.IndexAny(text[i:], endOfName); n >= 0 {
		return i + n
	}
	return len(text)
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func (p *place) readTag(text string) (int, error) {
	c := text[0]
	switch {
	case strings.IndexByte(space, c) >= 0:
		switch p.state {
		case afterName:
			p.state = inTag
		case inName:
			p.state = beforeEqual
		}
	case c == '>':
		p.close()
	case p.state == beforeValue:
		p.state = inValue
		if c != '"' && c != '\'' {
			return 0, nil
		}
		p.quote = c
	case c == '=' && (p.state == inName || p.state == beforeEqual):
		p.state = beforeValue
	case c == '/':
		p.state = inTag
	case p.open():
		return 0, errors.New("the name of a tag or an attribute must not be cut by {{ }}")
	case c == '=':
		return 0, errors.New("an attribute has no name")
	default:
		n := strings.IndexAny(text, endOfName+"=")
		if n < 0 {
			n = len(text)
		}
		p.state, p.kind = inName, contentOf(strings.ToLower(text[:n]))
		return n, nil
	}
	return 1, nil
}

// close moves p behind the end of a tag.
func (p *place) close() {
	element := place{state: inElement, tag: p.tag}
	switch p.tag {
	case "script":
		element.kind = code
	case "style":
		element.kind = style
	case "title", "textarea":
	default:
		element = place{}
	}
	*p = element
}

func (p *place) readValue(text string) (n int, err error) {
	if n = strings.IndexByte(text, p.quote); p.quote == 0 {
		n = strings.IndexAny(text, space+">")
	}
	if n < 0 {
		return len(text), p.readContent(html.UnescapeString(text))
	}
	err = p.readContent(html.UnescapeString(text[:n]))
	if p.quote != 0 {
		n++
	}
	*p = place{state: inTag, tag: p.tag}
	return n, err
}

func (p *place) readElement(text string) (n int, err error) {
	n = endTag(text, p.tag)
	if n < 0 {
		return len(text), p.readContent(text)
	}
	err = p.readContent(text[:n])
	n += len("</" + p.tag)
	*p = place{state: afterName, tag: "/" + p.tag}
	return n, err
}

// endTag returns the position of an element's end tag, -1 if there is none.
func endTag(text, tag string) int {
	for i := 0; i < len(text); i++ {
		rest, ok := strings.CutPrefix(text[i:], "</")
		if !ok || len(rest) < len(tag) || !strings.EqualFold(rest[:len(tag)], tag) {
			continue
		}
		if len(rest) == len(tag) || strings.IndexByte(endOfName, rest[len(tag)]) >= 0 {
			return i
		}
	}
	return -1
}
