package config

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// The parser reports where it gave up, often far from the mistake. So surgeon tries changes of single places until one
// makes the file valid. This place is the mistake, and the change describes it. Among several such changes it takes the
// one that leaves the fewest mistakes in the configuration.

const (
	maxTrials     = 400     // changes to try
	maxTrialBytes = 4 << 20 // bytes to parse for them, in total
	windowBefore  = 20      // lines to search before the one that breaks the file
	settled       = 3       // lines to search beyond a change that leaves no mistake
)

// repair is a change that may make a file valid, with a description of the mistake.
type repair struct {
	line, column int // of the mistake, from 1
	message      string
	from         int      // index of the first replaced line
	with         []string // replacements
	odd          bool     // the line stands out even without the parser
}

// surgeon searches for the mistake in an invalid YAML file.
type surgeon struct {
	lines []string
	bytes int // bytes that may still be parsed
}

// syntaxError describes the mistake that makes data invalid YAML, with its place.
func syntaxError(data []byte, err error) (line, column int, message string) {
	s := &surgeon{lines: strings.Split(string(data), "\n"), bytes: max(maxTrialBytes, 4*len(data))}
	line, message = parserSays(err, len(s.lines))
	if name, ok := unknownAnchor(message); ok {
		line, column = s.find("*" + name)
		return line, column, "not valid YAML: no & defines this anchor; text that begins with * needs quotes" // it may be a password
	}
	last := s.breaksAt()
	if last == 0 {
		last = line
	}
	if r, ok := s.diagnose(last); ok {
		return r.line, r.column, "not valid YAML: " + r.message
	}
	return last, 1, "not valid YAML: " + message
}

// parserSays extracts the line from the parser's message, which is its only source.
func parserSays(err error, lines int) (line int, message string) {
	message, line = strings.TrimPrefix(err.Error(), "yaml: "), 1
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		number, text, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			line, message = min(max(n, 1), lines), text
		}
	}
	return line, message
}

// unknownAnchor returns the name in the parser's message of an alias without an anchor.
func unknownAnchor(message string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(message, "unknown anchor '")
	return strings.TrimSuffix(rest, "' referenced"), ok
}

// find returns the place of a whole word.
func (s *surgeon) find(word string) (line, column int) {
	for i, text := range s.lines {
		for at := 0; ; {
			n := strings.Index(text[at:], word)
			if n < 0 {
				break
			}
			at += n
			before, after := text[:at], text[at+len(word):]
			if strings.Trim(before[max(0, len(before)-1):], " [{,:-") == "" && strings.Trim(after[:min(1, len(after))], " ]},\r") == "" {
				return i + 1, at + 1
			}
			at += len(word)
		}
	}
	return 1, 1
}

// parse returns the tree of a text; nil for invalid YAML, or if the budget is used up.
func (s *surgeon) parse(lines []string) *yaml.Node {
	text := strings.Join(lines, "\n")
	if s.bytes -= len(text) + 1; s.bytes < 0 {
		return nil
	}
	return document(text)
}

// document returns the tree of the only document in a text; nil for invalid YAML.
func document(text string) *yaml.Node {
	var doc, second yaml.Node
	reader := yaml.NewDecoder(strings.NewReader(text))
	if reader.Decode(&doc) != nil || !errors.Is(reader.Decode(&second), io.EOF) {
		return nil
	}
	return doc.Content[0]
}

// valid reports whether the first n lines are valid YAML. No lines are valid.
func (s *surgeon) valid(n int) bool {
	text := strings.Join(s.lines[:n], "\n")
	s.bytes -= len(text)
	return strings.TrimSpace(text) == "" || document(text) != nil
}

// breaksAt returns the first line from which on every longer part of the file is invalid; 0 if the search takes too
// long.
func (s *surgeon) breaksAt() int {
	good, bad := 0, len(s.lines)
	for s.bytes > maxTrialBytes/2 {
		if bad-good > 1 {
			if middle := (good + bad) / 2; s.valid(middle) {
				good = middle
			} else {
				bad = middle
			}
			continue
		}
		further := s.validBeyond(bad)
		if further == 0 {
			return bad
		}
		good, bad = further, len(s.lines)
	}
	return 0
}

// validBeyond returns a number of lines above n that is valid YAML though n is not, for example in a list in brackets
// that continues; 0 for none.
func (s *surgeon) validBeyond(n int) int {
	for ahead := n + 1; ahead < min(n+windowBefore, len(s.lines)); ahead++ {
		if s.valid(ahead) {
			return ahead
		}
	}
	return 0
}

// diagnose returns the repair that leaves the fewest mistakes.
func (s *surgeon) diagnose(last int) (best repair, ok bool) {
	type tried struct {
		repair
		errors int
	}
	candidates := s.candidates(last)
	for _, whole := range []bool{true, false} {
		var good []tried
		clean := 0 // line of a repair that leaves no mistake
		for _, r := range candidates[:min(len(candidates), maxTrials)] {
			if clean > 0 && !r.odd && (r.line < clean-settled || r.line > clean+settled) {
				continue
			}
			lines := slices.Concat(s.lines[:r.from], r.with, s.lines[r.from+len(r.with):])
			if !whole { // more mistakes follow
				lines = lines[:min(max(last, r.from+len(r.with)), len(lines))]
			}
			if root := s.parse(lines); root != nil {
				n := mistakes(root)
				good = append(good, tried{r, n})
				if n == 0 && clean == 0 {
					clean = r.line
				}
			}
		}
		if len(good) > 0 {
			least := slices.MinFunc(good, func(a, b tried) int {
				return cmp.Or(cmp.Compare(a.errors, b.errors), cmp.Compare(number01(b.odd), number01(a.odd)))
			})
			return least.repair, true
		}
	}
	return best, false
}

func number01(b bool) int {
	if b {
		return 1
	}
	return 0
}

// mistakes counts the mistakes in a configuration.
func mistakes(root *yaml.Node) int {
	if (&meter{}).exceeds(root, 0) != nil {
		return maxErrors
	}
	if root.Kind != yaml.MappingNode {
		return maxErrors
	}
	_, _, err := build(&decoder{at: positions{}}, root)
	errs, _ := err.(Errors)
	return len(errs)
}
