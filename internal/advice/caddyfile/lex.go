package caddyfile

import (
	"fmt"
	"strings"
	"unicode"
)

// word is a token: a text between spaces, or in quotes.
type word struct {
	text   string
	quoted bool
	line   int
	first  bool // the first word of its line
}

// lexer splits a text into words.
type lexer struct {
	text []rune
	at   int
	line int
	all  []word
	new  bool // at the beginning of a line
}

func lex(text string) ([]word, error) {
	l := &lexer{text: []rune(strings.TrimPrefix(text, "\ufeff")), line: 1, new: true}
	for l.at < len(l.text) {
		switch ch := l.text[l.at]; {
		case ch == '\n':
			l.newline()
		case unicode.IsSpace(ch):
			l.at++
		case ch == '\\' && l.next("\r\n", 1):
			l.line, l.at = l.line+1, l.at+3
		case ch == '\\' && l.next("\n", 1):
			l.line, l.at = l.line+1, l.at+2
		case ch == '#':
			for l.at < len(l.text) && l.text[l.at] != '\n' {
				l.at++
			}
		case ch == '"' || ch == '`':
			if err := l.quoted(ch); err != nil {
				return nil, err
			}
		case ch == '<' && l.next("<", 1):
			if err := l.heredoc(); err != nil {
				return nil, err
			}
		default:
			l.plain()
		}
	}
	return l.all, nil
}

func (l *lexer) next(text string, after int) bool {
	begin := l.at + after
	end := begin + len(text)
	return end <= len(l.text) && string(l.text[begin:end]) == text
}

func (l *lexer) newline() {
	l.at, l.line, l.new = l.at+1, l.line+1, true
}

func (l *lexer) add(text string, quoted bool, line int) {
	l.all = append(l.all, word{text, quoted, line, l.new})
	l.new = false
}

// plain reads a word without quotes. A backslash is literal, except at the end of a
// line.
func (l *lexer) plain() {
	begin, line := l.at, l.line
	for l.at < len(l.text) && !unicode.IsSpace(l.text[l.at]) {
		if l.text[l.at] == '\\' && l.next("\n", 1) {
			break
		}
		l.at++
	}
	l.add(strings.TrimPrefix(string(l.text[begin:l.at]), `\<`), false, line)
}

func (l *lexer) quoted(mark rune) error {
	line := l.line
	var b strings.Builder
	for l.at++; l.at < len(l.text); l.at++ {
		switch ch := l.text[l.at]; {
		case ch == '\\' && mark == '"' && l.next(`"`, 1):
			l.at++
			b.WriteByte('"')
		case ch == mark:
			l.at++
			l.add(b.String(), true, line)
			return nil
		case ch == '\n':
			l.line++
			b.WriteRune(ch)
		default:
			b.WriteRune(ch)
		}
	}
	return fmt.Errorf("line %d: a quote is not closed", line)
}

// heredoc reads <<MARK, the lines after it, and MARK. It removes the indentation of the
// closing mark from every line.
func (l *lexer) heredoc() error {
	begin, line := l.at+2, l.line
	end := begin
	for end < len(l.text) && !unicode.IsSpace(l.text[end]) {
		end++
	}
	mark := string(l.text[begin:end])
	if end == len(l.text) || l.text[end] != '\n' && l.text[end] != '\r' || mark == "" || strings.HasPrefix(mark, "<") {
		l.plain()
		return nil
	}
	rest := strings.ReplaceAll(string(l.text[end:]), "\r\n", "\n")
	lines := strings.Split(strings.TrimPrefix(rest, "\n"), "\n")
	for i, text := range lines {
		after, closes := strings.CutPrefix(strings.TrimLeft(text, " \t"), mark)
		if !closes {
			continue
		}
		indent := text[:len(text)-len(mark)-len(after)]
		for j := range i {
			lines[j] = strings.TrimPrefix(lines[j], indent)
		}
		l.add(strings.Join(lines[:i], "\n"), true, line)
		l.text = []rune(strings.Join(append([]string{after}, lines[i+1:]...), "\n"))
		l.at, l.line = 0, line+i+1
		return nil
	}
	return fmt.Errorf("line %d: <<%s has no end", line, mark)
}

// expand inserts environment variables: {$NAME} or {$NAME:default}.
func expand(text string, env func(string) (string, bool)) (out string, missing []string) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{$")
		b.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		switch {
		case !found:
			return b.String(), missing
		case !closed || name == "":
			b.WriteString("{$")
			text = rest
			continue
		}
		name, standard, hasDefault := strings.Cut(name, ":")
		value, set := env(name)
		if !set {
			if value = standard; !hasDefault {
				missing = append(missing, name)
			}
		}
		b.WriteString(value)
		text = after
	}
}
