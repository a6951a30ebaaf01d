package haproxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxLine bounds the length of a line, in bytes. HAProxy's own limit is 2,048.
const maxLine = 64 << 10

// Config is one haproxy.cfg.
type Config struct {
	File     string
	Sections []*Section
	Unset    []Line // environment variables that are used, but not set
}

// Section is a part of a configuration, such as a backend.
type Section struct {
	Kind  string // global, defaults, frontend, backend, listen, ...
	Name  string
	Lines []Line

	defaults *Section
}

// Line has the words of a line, without their quoting.
type Line struct {
	Words []string
	File  string
	No    int
	From  *Section // the defaults section that a rule is inherited from; nil = none
}

// At is the line's place: "haproxy.cfg:12".
func (l Line) At() string { return fmt.Sprintf("%s:%d", filepath.Base(l.File), l.No) }

// Word returns a word, "" if there are fewer.
func (l Line) Word(i int) string {
	if i >= len(l.Words) {
		return ""
	}
	return l.Words[i]
}

// After returns the word after another one, "" if that is missing.
func (l Line) After(word string) string {
	if i := slices.Index(l.Words, word); i >= 0 {
		return l.Word(i + 1)
	}
	return ""
}

// Has reports whether the line has a word.
func (l Line) Has(word string) bool { return slices.Contains(l.Words, word) }

// Load reads a configuration.
func Load(file string) (*Config, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := Parse(f, file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// Parse reads a configuration; file is its name in [Line.At].
func Parse(r io.Reader, file string) (*Config, error) {
	c := &Config{File: file}
	var last *Section // the defaults of the following sections
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for no := 1; s.Scan(); no++ {
		words, err := split(s.Text(), func(name string) string {
			value, set := os.LookupEnv(name)
			if !set {
				c.Unset = append(c.Unset, Line{Words: []string{name}, File: file, No: no})
			}
			return value
		})
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", no, err)
		}
		if len(words) == 0 {
			continue
		}
		if isSection(words[0]) {
			n, err := c.section(words, last)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", no, err)
			}
			if n.Kind == "defaults" {
				last = n
			}
			c.Sections = append(c.Sections, n)
			continue
		}
		if len(c.Sections) == 0 {
			return nil, fmt.Errorf("line %d: %q is outside of any section", no, words[0])
		}
		now := c.Sections[len(c.Sections)-1]
		now.Lines = append(now.Lines, Line{Words: words, File: file, No: no})
	}
	return c, s.Err()
}

// section returns a new section with its defaults: those that it names after "from", or
// else the last ones. It begins with the rules of its defaults, because HAProxy
// evaluates them first.
func (c *Config) section(words []string, last *Section) (*Section, error) {
	n := &Section{Kind: words[0]}
	if len(words) > 1 && words[1] != "from" {
		n.Name = words[1]
	}
	if n.Kind != "defaults" {
		n.defaults = last
	}
	if i := slices.Index(words, "from"); i > 0 && i+1 < len(words) {
		named := func(s *Section) bool { return s.Kind == "defaults" && s.Name == words[i+1] }
		at := slices.IndexFunc(c.Sections, named)
		if at < 0 {
			return nil, fmt.Errorf("%s %s from %s: no earlier defaults section has this name", n.Kind, n.Name, words[i+1])
		}
		n.defaults = c.Sections[at]
	}
	if n.defaults != nil && n.Kind != "defaults" {
		for _, l := range n.defaults.Lines {
			if slices.Contains([]string{"http-request", "http-response", "http-after-response", "tcp-request", "tcp-response"}, l.Words[0]) {
				l.From = n.defaults
				n.Lines = append(n.Lines, l)
			}
		}
	}
	return n, nil
}

func isSection(word string) bool {
	return slices.Contains([]string{
		"global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "mailers", "userlist", "program",
		"cache", "http-errors", "ring", "log-forward", "fcgi-app", "crt-store", "traces", "log-profile",
	}, word)
}

var errQuote = errors.New("a quote is not closed")

// variable matches an environment variable, with its default.
var variable = regexp.MustCompile(`^\$(?:(\w+)|\{(\w+)(?:\[\*\])?(-[^}]*)?\})`)

// split splits a line into words (configuration.txt, section 2.2): double and single
// quotes, backslash, # for a comment, and environment variables in double quotes.
func split(line string, env func(string) string) ([]string, error) {
	var words []string
	var word strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(line):
			rest, taken := escaped(line[i:])
			word.WriteString(rest)
			i += taken - 1
			in = true
		case c == '$' && quote == '"' && variable.MatchString(line[i:]):
			m := variable.FindStringSubmatch(line[i:])
			if standard, has := strings.CutPrefix(m[3], "-"); has && os.Getenv(m[2]) == "" {
				word.WriteString(standard)
			} else {
				word.WriteString(env(m[1] + m[2]))
			}
			i += len(m[0]) - 1
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, in = c, true
		case c == '#':
			i = len(line)
		case c == ' ' || c == '\t' || c == '\r':
			if in {
				words = append(words, word.String())
			}
			word.Reset()
			in = false
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, errQuote
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}

// escaped reads an escape with a backslash. Before a character without special meaning
// the backslash is literal, as in regular expressions.
func escaped(text string) (is string, taken int) {
	switch c := text[1]; c {
	case ' ', '\\', '#', '"', '\'', '$':
		return text[1:2], 2
	case 'n':
		return "\n", 2
	case 'r':
		return "\r", 2
	case 't':
		return "\t", 2
	case 'x':
		if len(text) >= 4 {
			if n, err := strconv.ParseUint(text[2:4], 16, 8); err == nil {
				return string([]byte{byte(n)}), 4
			}
		}
	}
	return text[:1], 1
}

// All returns the section's own lines that begin with words.
func (s *Section) All(words ...string) []Line {
	var all []Line
	for _, l := range s.Lines {
		if len(l.Words) >= len(words) && slices.Equal(l.Words[:len(words)], words) {
			all = append(all, l)
		}
	}
	return all
}

// One returns the last line that begins with words, from the section or else from its
// defaults; the zero value if there is none, or if "no" turns the option off.
func (s *Section) One(words ...string) Line {
	for ; s != nil; s = s.defaults {
		if all := s.All(words...); len(all) > 0 {
			return all[len(all)-1]
		}
		if len(s.All(append([]string{"no"}, words...)...)) > 0 {
			break
		}
	}
	return Line{}
}

// Inherited returns the lines that begin with words: those of the defaults, then the
// section's own.
func (s *Section) Inherited(words ...string) []Line {
	if s == nil {
		return nil
	}
	return append(s.defaults.Inherited(words...), s.All(words...)...)
}

// Timeout returns a timeout that applies in the section, 0 if it is not set.
func (s *Section) Timeout(name string) time.Duration {
	d, _ := Duration(s.One("timeout", name).Word(2))
	return d
}

// Duration parses a time in HAProxy's form: a number of milliseconds, or a number with
// a unit (configuration.txt, section 2.4).
func Duration(text string) (time.Duration, bool) {
	digits := strings.TrimRight(text, "usmhd")
	var n int64
	for _, c := range digits {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	unit, ok := map[string]time.Duration{
		"": time.Millisecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}[text[len(digits):]]
	if !ok || digits == "" || n > int64(1<<62)/int64(unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

// Find returns the section with a kind and name, nil if there is none. A listen section
// is also a backend.
func (c *Config) Find(kind, name string) *Section {
	for _, s := range c.Sections {
		if s.Name == name && (s.Kind == kind || s.Kind == "listen" && kind == "backend") {
			return s
		}
	}
	return nil
}
