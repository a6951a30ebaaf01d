package pagetemplate

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// script is a place in JavaScript.
type script struct {
	in    lexical
	slash slash
	nest  string // the open braces: { of a block, $ of an expression in a template literal
}

type lexical int

const (
	inCode lexical = iota
	inDouble
	inSingle
	inTemplate
	inRegexp
	inClass // in a character class of a regular expression
	inLine  // in a line comment
	inBlock
)

func (l lexical) String() string {
	return [...]string{"JavaScript", `a JavaScript string in "`, "a JavaScript string in '", "a JavaScript template literal", "a regular expression",
		"a regular expression", "a JavaScript comment", "a JavaScript comment"}[l]
}

// slash is the meaning of the next slash.
type slash int

const (
	beginsRegexp slash = iota
	divides
	ambiguous // the branches of a condition give it different meanings
)

// read consumes a part of a script.
func (s *script) read(text string) error {
	for text != "" {
		var n int
		var err error
		switch s.in {
		case inCode:
			n, err = s.readCode(text)
		case inLine:
			n = s.until(text, "\n", "\r", "\u2028", "\u2029")
		case inBlock:
			n = s.until(text, "*/")
		default:
			n, err = s.readQuoted(text)
		}
		if err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// until consumes text up to and including the first of ends, after which code begins.
func (s *script) until(text string, ends ...string) int {
	first := len(text)
	for _, e := range ends {
		if i := strings.Index(text, e); i >= 0 {
			first, s.in = min(first, i+len(e)), inCode
		}
	}
	return first
}

func (s *script) readCode(text string) (int, error) {
	if n := word(text); n > 0 {
		s.slash = divides
		if operators := []string{"return", "typeof", "instanceof", "in", "of", "new", "delete", "void", "throw", "case", "do", "else", "await", "yield"}; slices.Contains(operators, text[:n]) {
			s.slash = beginsRegexp
		}
		return n, nil
	}
	for begin, in := range map[string]lexical{"//": inLine, "/*": inBlock, "<!--": inLine} {
		if strings.HasPrefix(text, begin) {
			s.in = in
			return len(begin), nil
		}
	}
	switch c := text[0]; c {
	case ' ', '\t', '\n', '\r':
	case '"', '\'', '`':
		s.in = map[byte]lexical{'"': inDouble, '\'': inSingle, '`': inTemplate}[c]
	case '/':
		switch s.slash {
		case ambiguous:
			return 0, errors.New("it is not clear whether a slash divides or begins a regular expression")
		case beginsRegexp:
			s.in = inRegexp
		}
		s.slash = beginsRegexp
	case ')', ']':
		s.slash = divides
	case '+', '-':
		s.slash = beginsRegexp
		if len(text) > 1 && text[1] == c { // after x++ a slash divides; a regular expression there is an error
			s.slash = divides
			return 2, nil
		}
	case '{', '}':
		s.brace(c)
	default:
		s.slash = beginsRegexp
	}
	return 1, nil
}

// brace consumes a brace in code. Blocks count only inside an expression of a template
// literal.
func (s *script) brace(c byte) {
	s.slash = beginsRegexp
	switch n := len(s.nest) - 1; {
	case n < 0:
	case c == '{':
		s.nest += "{"
	default:
		if s.nest[n] == '$' {
			s.in = inTemplate
		}
		s.nest = s.nest[:n]
	}
}

// word returns the length of the name, keyword or number at the beginning of text.
func word(text string) int {
	n := strings.IndexFunc(text, func(r rune) bool {
		return !(r >= utf8.RuneSelf && r != '\u2028' && r != '\u2029' || r == '_' || r == '$' || r == '.' || '0' <= r && r <= '9' || letter(byte(r)))
	})
	if n < 0 {
		return len(text)
	}
	return n
}

// readQuoted consumes a part of a string, a template literal or a regular expression.
func (s *script) readQuoted(text string) (int, error) {
	switch c := text[0]; {
	case c == '\\':
		if len(text) == 1 {
			return 0, errPartialEscape
		}
		_, n := utf8.DecodeRuneInString(text[1:])
		return 1 + n, nil
	case s.in == inDouble && c == '"', s.in == inSingle && c == '\'', s.in == inTemplate && c == '`', s.in == inRegexp && c == '/':
		s.in, s.slash = inCode, divides
	case s.in == inTemplate && text == "$":
		return 0, errors.New("the text ends after the $ of a template literal")
	case s.in == inTemplate && strings.HasPrefix(text, "${"):
		s.in, s.slash, s.nest = inCode, beginsRegexp, s.nest+"$"
		return 2, nil
	case s.in == inRegexp && c == '[':
		s.in = inClass
	case s.in == inClass && c == ']':
		s.in = inRegexp
	case (s.in == inRegexp || s.in == inClass) && c == '\n':
		return 0, errors.New("a regular expression of JavaScript does not end in its line")
	}
	return 1, nil
}

// value returns the way to write a value at s: a literal in code, else a part of a string.
func (s script) value() (writing, error) {
	switch s.in {
	case inCode:
		return writing{escape: jsValue}, nil
	case inRegexp, inClass:
		return writing{}, errors.New("a value cannot stand in a regular expression of JavaScript")
	}
	return writing{func(v any) string { return jsText(text(v)) }, "js"}, nil
}
