package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// candidates returns possible repairs near a line: the nearest lines first, and for each line the most visible mistakes
// first.
func (s *surgeon) candidates(last int) (list []repair) {
	var above []repair
	near := last - windowBefore
	for _, i := range s.suspects(last, near) {
		text := strings.TrimRight(s.lines[i], " \r")
		if i < near {
			above = append(above, s.indents(i, text, indentOf(s.lines[min(last, len(s.lines))-1]))...)
			continue
		}
		list = append(list, tabs(i, text)...)
		list = append(list, brackets(i, text)...)
		list = append(list, s.longBrackets(i, text)...)
		list = append(list, quotes(i, text)...)
		list = append(list, colons(i, text)...)
		list = append(list, s.indents(i, text)...)
		list = append(list, unquoted(i, text)...)
	}
	return append(above, list...) // the lines above have few candidates
}

// suspects returns the non-empty lines from the first after last back to near, and before that only the parents of
// these lines.
func (s *surgeon) suspects(last, near int) (list []int) {
	least := 1 << 10
	for i := min(last, len(s.lines)-1); i >= 0 && least > 0; i-- {
		content := strings.TrimLeft(s.lines[i], " \t\r")
		if content == "" || content[0] == '#' {
			continue
		}
		above := indentOf(s.lines[i]) < least
		if above && i < last-1 {
			least = indentOf(s.lines[i])
		}
		if i >= near || above {
			list = append(list, i)
		}
	}
	return list
}

// one is a repair that replaces a line.
func one(i, column int, text, format string, args ...any) repair {
	return repair{line: i + 1, column: column + 1, message: fmt.Sprintf(format, args...), from: i, with: []string{text}}
}

func indentOf(text string) int { return len(text) - len(strings.TrimLeft(text, " ")) }

// tabs replaces tabs in the indentation.
func tabs(i int, text string) (list []repair) {
	content := strings.TrimLeft(text, " \t")
	lead := text[:len(text)-len(content)]
	at := strings.IndexByte(lead, '\t')
	if at < 0 {
		return nil
	}
	for n := range 17 {
		r := one(i, at, strings.Repeat(" ", n)+content, "the line is indented with a tab: use spaces")
		r.odd = true
		list = append(list, r)
	}
	return list
}

// mark is a character with a meaning in YAML.
type mark struct {
	at   int
	char byte
}

// look scans a line, and returns its open brackets and its open quote; quote is 0 if none is open. wrong is the first
// closing bracket without a matching open one.
func look(text string) (open []mark, quote, wrong mark, end int) {
	for i := 0; i < len(text); i++ {
		c, before := text[i], byte(' ')
		if i > 0 {
			before = text[i-1]
		}
		switch {
		case quote.char == '"' && c == '\\':
			i++
		case quote.char != 0 && c == quote.char:
			quote = mark{}
		case quote.char != 0:
		case c == '#' && before == ' ':
			return open, quote, wrong, i
		case (c == '"' || c == '\'') && strings.IndexByte(" [{,:", before) >= 0:
			quote = mark{i, c}
		case (c == '[' || c == '{') && strings.IndexByte(" [{,:", before) >= 0:
			open = append(open, mark{i, c})
		case c == ']' || c == '}':
			if n := len(open); n > 0 && open[n-1].char == c-2 { // [ and ], { and } are two apart
				open = open[:n-1]
			} else if wrong.char == 0 {
				wrong = mark{i, c}
			}
		}
	}
	return open, quote, wrong, len(text)
}

func brackets(i int, text string) (list []repair) {
	open, quote, wrong, end := look(text)
	if quote.char != 0 {
		return nil
	}
	if wrong.char != 0 {
		if n := len(open); n > 0 {
			b := open[n-1]
			list = append(list, one(i, wrong.at, text[:wrong.at]+string(b.char+2)+text[wrong.at+1:],
				"%c does not close the %c of column %d", wrong.char, b.char, b.at+1))
			// Alternatively the inner bracket was not closed, and this one closes the outer.
			list = append(list, one(i, b.at, text[:wrong.at]+string(b.char+2)+text[wrong.at:], "the %c is not closed", b.char))
		} else {
			list = append(list, one(i, wrong.at, text[:wrong.at]+text[wrong.at+1:], "the %c closes nothing", wrong.char))
		}
	}
	if len(open) > 0 {
		var closing strings.Builder
		for _, b := range slices.Backward(open) {
			closing.WriteString(string(b.char + 2))
		}
		body := strings.TrimRight(text[:end], " ")
		list = append(list, one(i, open[0].at, body+closing.String(), "the %c is not closed", open[0].char))
		if n, ok := strings.CutSuffix(body, ","); ok {
			list = append(list, one(i, open[0].at, n+closing.String(), "the %c is not closed", open[0].char))
		}
	}
	return list
}

// longBrackets closes the open brackets at the end of a line, before the next line that is not indented more.
func (s *surgeon) longBrackets(i int, text string) []repair {
	open, quote, _, _ := look(text)
	if quote.char != 0 || len(open) == 0 {
		return nil
	}
	last := i
	for j := i + 1; j < len(s.lines); j++ {
		if content := strings.TrimSpace(s.lines[j]); content == "" {
			continue
		} else if indentOf(s.lines[j]) <= indentOf(text) && strings.IndexByte("]}", content[0]) < 0 {
			break
		}
		last = j
	}
	if last == i {
		return nil
	}
	r := one(i, open[0].at, strings.TrimRight(s.lines[last], " \r")+string(open[0].char+2), "the %c is not closed", open[0].char)
	r.from = last
	return []repair{r}
}

// quotes closes an open quote at each possible end of its text.
func quotes(i int, text string) (list []repair) {
	_, quote, _, end := look(text)
	if quote.char == 0 {
		return nil
	}
	for at := end; at > 0; at-- {
		if at < end && strings.IndexByte(",]}", text[at]) < 0 {
			continue
		}
		fixed := text[:at] + string(quote.char) + text[at:]
		_, still, _, _ := look(fixed)
		_, begun, _, _ := look(text[:at])
		if still.char != 0 || begun.char == 0 {
			continue
		}
		list = append(list, one(i, begun.at, fixed, "the %c is not closed", begun.char))
		if open, _, _, _ := look(fixed); len(open) > 0 { // the quote had swallowed the bracket
			list = append(list, one(i, begun.at, fixed+strings.Repeat(string(open[0].char+2), len(open)), "the %c is not closed", begun.char))
		}
	}
	return list
}

var (
	aKey  = regexp.MustCompile(`^( *(?:- +)*)([A-Za-z_][A-Za-z0-9_-]*)(.*)$`)
	aDash = regexp.MustCompile(`^( *)-([^ -].*)$`)
)

// colons adds a missing colon, or the missing space after a colon or a dash.
func colons(i int, text string) (list []repair) {
	if m := aKey.FindStringSubmatch(text); m != nil {
		lead, key, rest := m[1], m[2], m[3]
		at := len(lead) + len(key)
		switch {
		case strings.HasPrefix(rest, ": ") || rest == ":":
		case strings.HasPrefix(rest, ":"):
			list = append(list, one(i, at, lead+key+": "+rest[1:], "a space is missing after the colon of %s", keyTold(key)))
		case rest == "" || rest[0] == ' ':
			list = append(list, one(i, at, lead+key+":"+rest, "the colon is missing after %s", keyTold(key)))
		}
	}
	if m := aDash.FindStringSubmatch(text); m != nil {
		list = append(list, one(i, len(m[1]), m[1]+"- "+m[2], "a space is missing after the -"))
	}
	return list
}

// indents moves a line, alone or with the lines below it, to the indentation of other lines; also has indentations of
// lines further away.
func (s *surgeon) indents(i int, text string, also ...int) (list []repair) {
	now := indentOf(text)
	for _, n := range append(s.indentsAround(i), also...) {
		if n == now || n < now-4 || n > now+4 {
			continue
		}
		r := one(i, now, strings.Repeat(" ", n)+text[now:], "line %d is indented by %d, its siblings by %d", i+1, now, n)
		r.odd = now%2 != 0 && n%2 == 0
		list = append(list, r)
		if block := s.shifted(i, now, n); len(block) > 1 {
			r.with = block
			list = append(list, r)
		}
	}
	return list
}

// indentsAround returns the indentations of the lines around one, the nearest first. The text of a list entry counts as
// well.
func (s *surgeon) indentsAround(i int) (list []int) {
	for d := 1; d <= windowBefore; d++ {
		for _, j := range []int{i - d, i + d} {
			if j < 0 || j >= len(s.lines) {
				continue
			}
			text := s.lines[j]
			content := strings.TrimLeft(text, " ")
			if content == "" || content[0] == '#' || content[0] == '\t' || content[0] == '\r' {
				continue
			}
			at := len(text) - len(content)
			for _, n := range []int{at, at + 2} {
				if isItem := strings.HasPrefix(content, "- "); (n == at || isItem) && !slices.Contains(list, n) {
					list = append(list, n)
				}
			}
		}
	}
	return list
}

// shifted returns a moved line, with the following lines that are indented at least as much.
func (s *surgeon) shifted(i, now, to int) (block []string) {
	for _, text := range s.lines[i:] {
		n := indentOf(text)
		switch blank := strings.TrimSpace(text) == ""; {
		case blank:
			block = append(block, text)
			continue
		case n < now:
			return block
		}
		block = append(block, strings.Repeat(" ", to+n-now)+text[n:])
	}
	return block
}

// unquoted quotes values that YAML takes for something else, and changes the quotes around values with a backslash.
func unquoted(i int, text string) (list []repair) {
	line := []rune(text)
	for at := 0; at < len(line); {
		c := line[at]
		if strings.ContainsRune(" \t,[]{}", c) || c == '-' && at+1 < len(line) && line[at+1] == ' ' {
			at++
			continue
		}
		if c == '#' && at > 0 && line[at-1] == ' ' {
			break
		}
		end := scalarEnd(line, at)
		value := string(line[at:end])
		before, after := string(line[:at]), string(line[end:])
		switch {
		case c == '"' && strings.Contains(value, `\`):
			fixed := before + "'" + strings.ReplaceAll(strings.Trim(value, `"`), "'", "''") + "'" + after
			list = append(list, one(i, at, fixed, `a \ in double quotes begins an escape: write \\, or use single quotes`))
		case strings.ContainsRune("*&@%`!|>", c), c == ':' && len(value) > 1:
			list = append(list, one(i, at, before+quoted(value)+after, "text that begins with %c needs quotes", c))
		case strings.HasPrefix(after, ": ") && strings.HasSuffix(strings.TrimRight(before, " "), ":"):
			whole := strings.TrimRight(value+after, " ")
			list = append(list, one(i, at, before+quoted(whole), "the value has a colon and a space in it, so it needs quotes"))
		}
		at = max(end, at+1)
		if at < len(line) && line[at] == ':' {
			at++
		}
	}
	return list
}

func quoted(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }
