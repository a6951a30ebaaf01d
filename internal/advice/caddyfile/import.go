package caddyfile

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// importTop adds the result of an import at the top level of a file: sites and
// snippets.
func (c *Config) importTop(d *Directive, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: imports are nested deeper than %d", d.At, maxDepth)
	}
	block, err := c.imported(d)
	if err != nil {
		return err
	}
	return c.top(substitute(block, d), depth+1)
}

// resolve replaces each import by its content.
func (c *Config) resolve(block []*Directive, depth int) (all []*Directive, err error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("imports are nested deeper than %d", maxDepth)
	}
	for _, d := range block {
		if c.count++; c.count > maxDirectives {
			return nil, fmt.Errorf("%s: there are more than %d directives", d.At, maxDirectives)
		}
		if d.Name == "import" {
			inner, err := c.imported(d)
			if err != nil {
				return nil, err
			}
			if inner, err = c.resolve(substitute(inner, d), depth+1); err != nil {
				return nil, err
			}
			all = append(all, inner...)
			continue
		}
		one := *d
		if one.Block, err = c.resolve(d.Block, depth+1); err != nil {
			return nil, err
		}
		all = append(all, &one)
	}
	return all, nil
}

// imported returns the content of a snippet, or of the files that match a pattern.
func (c *Config) imported(d *Directive) (all []*Directive, err error) {
	if snippet, ok := c.snippets[d.Arg(0)]; ok {
		return snippet, nil
	}
	pattern := d.Arg(0)
	if pattern == "" {
		return nil, fmt.Errorf("%s: import needs a name", d.At)
	}
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(d.file), pattern)
	}
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: import %s: %w", d.At, d.Arg(0), err)
	}
	if len(files) == 0 && !strings.ContainsAny(pattern, "*?[") {
		c.Problems = append(c.Problems, Problem{d.At, "import", d.Arg(0) + " is neither a snippet nor a file, so a restriction in it would be lost"})
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), ".") && strings.HasPrefix(filepath.Base(pattern), "*") {
			continue
		}
		text, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("%s: import: %w", d.At, err)
		}
		lines, err := c.lines(text, file)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, nil
}

var argument = regexp.MustCompile(`\{args(?:\[(\d+)\]|\.(\d+))\}`)

// substitute inserts the arguments and the block of an import into its content.
func substitute(block []*Directive, by *Directive) (all []*Directive) {
	args := by.Args[min(1, len(by.Args)):]
	fill := func(text string) string {
		return argument.ReplaceAllStringFunc(text, func(m string) string {
			parts := argument.FindStringSubmatch(m)
			if n, err := strconv.Atoi(parts[1] + parts[2]); err == nil && n < len(args) {
				return args[n]
			}
			return m
		})
	}
	for _, d := range block {
		if name, ok := strings.CutPrefix(d.Name, "{blocks."); ok {
			for _, b := range by.Block {
				if b.Name == strings.TrimSuffix(name, "}") {
					all = append(all, b.Block...)
				}
			}
			continue
		}
		if d.Name == "{block}" {
			all = append(all, by.Block...)
			continue
		}
		one := *d
		one.Name, one.Args = fill(d.Name), nil
		for _, a := range d.Args {
			if some, ok := variadic(a, args); ok {
				one.Args = append(one.Args, some...)
			} else {
				one.Args = append(one.Args, fill(a))
			}
		}
		one.Block = substitute(d.Block, by)
		all = append(all, &one)
	}
	return all
}

// variadic returns the arguments of {args[1:]}.
func variadic(text string, args []string) ([]string, bool) {
	inner, ok1 := strings.CutPrefix(text, "{args[")
	inner, ok2 := strings.CutSuffix(inner, "]}")
	from, to, ok3 := strings.Cut(inner, ":")
	if !ok1 || !ok2 || !ok3 {
		return nil, false
	}
	begin, end := 0, len(args)
	var err1, err2 error
	if from != "" {
		begin, err1 = strconv.Atoi(from)
	}
	if to != "" {
		end, err2 = strconv.Atoi(to)
	}
	if err1 != nil || err2 != nil || begin < 0 || begin > end || end > len(args) {
		return nil, false
	}
	return slices.Clone(args[begin:end]), true
}
