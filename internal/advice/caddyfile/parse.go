package caddyfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Limits on the input. Snippets that import others twice grow exponentially.
const (
	maxFile       = 16 << 20
	maxDirectives = 100_000
	maxDepth      = 64
)

// Config is a Caddyfile.
type Config struct {
	Options  []*Directive // the global options block
	Sites    []*Site
	Named    map[string][]*Directive // routes for "invoke", by name
	Problems []Problem

	env      func(string) (string, bool)
	snippets map[string][]*Directive
	count    int
}

// Problem is a missing part that reading has skipped.
type Problem struct{ Where, What, Text string }

// Site is a block with its addresses.
type Site struct {
	Addresses []string
	Block     []*Directive
	At        string
}

// Directive is one line with its block.
type Directive struct {
	Name  string
	Args  []string
	Block []*Directive
	At    string // "Caddyfile:12"

	file string
	open bool // it has a block, which may be empty
}

// Arg returns an argument, "" if there are fewer.
func (d *Directive) Arg(i int) string {
	if i >= len(d.Args) {
		return ""
	}
	return d.Args[i]
}

// HasBlock reports whether the directive has a block, which may be empty.
func (d *Directive) HasBlock() bool { return d.open }

// Load reads a file and its imports.
func Load(file string, env func(string) (string, bool)) (*Config, error) {
	text, err := read(file)
	if err != nil {
		return nil, err
	}
	return Parse(text, file, env)
}

func read(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return "", fmt.Errorf("%s: not a file, or larger than %d bytes", file, maxFile)
	}
	b, err := os.ReadFile(file)
	return string(b), err
}

// Parse reads a text; file is its name.
func Parse(text, file string, env func(string) (string, bool)) (*Config, error) {
	c := &Config{Named: map[string][]*Directive{}, env: env, snippets: map[string][]*Directive{}}
	lines, err := c.lines(text, file)
	if err != nil {
		return nil, err
	}
	if err := c.top(lines, 0); err != nil {
		return nil, err
	}
	for _, s := range c.Sites {
		if s.Block, err = c.resolve(s.Block, 0); err != nil {
			return nil, err
		}
	}
	for name, block := range c.Named {
		if c.Named[name], err = c.resolve(block, 0); err != nil {
			return nil, err
		}
	}
	c.Options, err = c.resolve(c.Options, 0)
	return c, err
}

// lines parses the top-level directives of a text.
func (c *Config) lines(text, file string) ([]*Directive, error) {
	text, missing := expand(text, c.env)
	for _, name := range missing {
		c.Problems = append(c.Problems, Problem{filepath.Base(file), "{$" + name + "}", "is not in the environment and has no default"})
	}
	words, err := lex(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	p := &parser{Config: c, words: words, file: file}
	all, err := p.block(0)
	if err == nil && len(p.words) > 0 {
		err = fmt.Errorf("%s:%d: unexpected }", file, p.words[0].line)
	}
	return all, err
}

type parser struct {
	*Config
	words []word
	file  string
}

// block reads lines up to a closing brace, which it leaves, or to the end.
func (p *parser) block(depth int) (all []*Directive, err error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: blocks are nested deeper than %d", p.file, maxDepth)
	}
	for len(p.words) > 0 {
		if w := p.words[0]; w.text == "}" && !w.quoted {
			return all, nil
		}
		d, err := p.directive(depth)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// directive reads one line, and its block if it opens one.
func (p *parser) directive(depth int) (*Directive, error) {
	if p.count++; p.count > maxDirectives {
		return nil, fmt.Errorf("%s: has more than %d directives", p.file, maxDirectives)
	}
	begin := p.words[0]
	d := &Directive{At: fmt.Sprintf("%s:%d", filepath.Base(p.file), begin.line), file: p.file}
	var line []string
	for i := 0; len(p.words) > 0; i++ {
		w := p.words[0]
		if i > 0 && w.first && !strings.HasSuffix(line[len(line)-1], ",") || w.text == "}" && !w.quoted && i > 0 {
			break
		}
		p.words = p.words[1:]
		if w.text == "{" && !w.quoted && (len(p.words) == 0 || p.words[0].first || p.words[0].text == "}") {
			inner, err := p.block(depth + 1)
			if err != nil {
				return nil, err
			}
			if len(p.words) == 0 {
				return nil, fmt.Errorf("%s:%d: the block is not closed", p.file, w.line)
			}
			p.words = p.words[1:]
			d.Block, d.open = inner, true
			break
		}
		line = append(line, w.text)
	}
	if len(line) > 0 {
		d.Name, d.Args = line[0], line[1:]
	}
	return d, nil
}

// top assigns the top-level lines of a file: options, snippets, named routes, sites and
// imports. A file with a single site needs no braces.
func (c *Config) top(lines []*Directive, depth int) error {
	for i, d := range lines {
		name, isSnippet := strings.CutPrefix(d.Name, "(")
		route, isRoute := strings.CutPrefix(d.Name, "&(")
		switch {
		case d.Name == "" && d.open && len(c.Sites) == 0:
			c.Options = append(c.Options, d.Block...)
		case d.Name == "":
			return fmt.Errorf("%s: a block has no address", d.At)
		case isRoute && strings.HasSuffix(route, ")"):
			c.Named[strings.TrimSuffix(route, ")")] = d.Block
		case isSnippet && strings.HasSuffix(name, ")"):
			c.snippets[strings.TrimSuffix(name, ")")] = d.Block
		case d.Name == "import":
			if err := c.importTop(d, depth); err != nil {
				return err
			}
		case strings.HasPrefix(d.Name, "@"):
			return fmt.Errorf("%s: a matcher is outside of any site", d.At)
		case !d.open:
			c.Sites = append(c.Sites, &Site{addresses(d), lines[i+1:], d.At})
			return nil
		default:
			c.Sites = append(c.Sites, &Site{addresses(d), d.Block, d.At})
		}
	}
	return nil
}

func addresses(d *Directive) (all []string) {
	for _, text := range append([]string{d.Name}, d.Args...) {
		for a := range strings.SplitSeq(text, ",") {
			if a = strings.TrimSpace(a); a != "" {
				all = append(all, a)
			}
		}
	}
	return all
}
