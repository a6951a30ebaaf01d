package convert

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// rule is an expression of Traefik's rule language: a matcher with its arguments, or an
// operator with its operands.
type rule struct {
	op    byte // '&', '|', '!', or 0 for a matcher
	parts []*rule
	name  string
	args  []string
}

var errRule = errors.New("the rule cannot be read")

// parseRule reads a rule of version 2 or 3: matchers joined by &&, || and !.
func parseRule(text string) (*rule, error) {
	p := &ruleParser{text: text}
	r, err := p.either(0)
	if err == nil && p.peek() != 0 {
		err = errRule
	}
	return r, err
}

type ruleParser struct {
	text string
	at   int
}

func (p *ruleParser) peek() byte {
	for p.at < len(p.text) && strings.ContainsRune(" \t\r\n", rune(p.text[p.at])) {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *ruleParser) take(word string) bool {
	p.peek()
	if strings.HasPrefix(p.text[p.at:], word) {
		p.at += len(word)
		return true
	}
	return false
}

func (p *ruleParser) either(depth int) (*rule, error) { return p.joined('|', "||", depth, p.all) }

func (p *ruleParser) all(depth int) (*rule, error) { return p.joined('&', "&&", depth, p.one) }

func (p *ruleParser) joined(op byte, word string, depth int, next func(int) (*rule, error)) (*rule, error) {
	first, err := next(depth)
	if err != nil {
		return nil, err
	}
	out := &rule{op: op, parts: []*rule{first}}
	for p.take(word) {
		r, err := next(depth)
		if err != nil {
			return nil, err
		}
		out.parts = append(out.parts, r)
	}
	if len(out.parts) == 1 {
		return first, nil
	}
	return out, nil
}

func (p *ruleParser) one(depth int) (*rule, error) {
	if depth > maxNested {
		return nil, errRule
	}
	switch {
	case p.take("!"):
		r, err := p.one(depth + 1)
		return &rule{op: '!', parts: []*rule{r}}, err
	case p.take("("):
		r, err := p.either(depth + 1)
		if err == nil && !p.take(")") {
			err = errRule
		}
		return r, err
	}
	p.peek()
	begin := p.at
	for p.at < len(p.text) && (p.text[p.at]|0x20 >= 'a' && p.text[p.at]|0x20 <= 'z') {
		p.at++
	}
	r := &rule{name: p.text[begin:p.at]}
	if r.name == "" || !p.take("(") {
		return nil, errRule
	}
	for !p.take(")") {
		mark := p.peek()
		if mark != '`' && mark != '"' && mark != '\'' {
			return nil, errRule
		}
		p.at++
		value, rest, found := strings.Cut(p.text[p.at:], string(mark))
		if !found {
			return nil, errRule
		}
		p.at = len(p.text) - len(rest)
		r.args = append(r.args, value)
		p.take(",")
	}
	return r, nil
}

// terms returns the terms of a rule. ok is false if a route cannot express it.
func (r *rule) terms() (out []term, ok bool) {
	switch r.op {
	case '!':
		inner, ok := r.parts[0].terms()
		if !ok {
			return nil, false
		}
		return neither(inner)
	case '&':
		out = []term{{}}
		for _, p := range r.parts {
			some, ok := p.terms()
			if !ok {
				return nil, false
			}
			if out, ok = both(out, some); !ok {
				return nil, false
			}
		}
		return out, true
	case '|':
		for _, p := range r.parts {
			some, ok := p.terms()
			if out = append(out, some...); !ok || len(out) > mostTerms {
				return nil, false
			}
		}
		return out, true
	}
	return r.matcher()
}

func (r *rule) matcher() ([]term, bool) {
	if len(r.args) == 0 || slices.Contains(r.args, "") { // Traefik, too, refuses it
		return nil, false
	}
	switch r.name {
	case "Host", "HostHeader":
		return hostTerms(r.args)
	case "HostRegexp":
		return hostPatterns(r.args)
	case "Path", "PathPrefix", "PathRegexp":
		return r.paths()
	case "Method":
		c := conditions{}
		for _, m := range r.args {
			if c.methods = append(c.methods, strings.ToUpper(m)); !isMethod(strings.ToUpper(m)) {
				return nil, false
			}
		}
		return []term{{has: c}}, true
	case "Header", "Headers", "HeaderRegexp", "HeadersRegexp":
		return r.field()
	case "Query", "QueryRegexp":
		return r.parameters()
	case "ClientIP":
		list := ranges(r.args)
		return []term{{has: conditions{clients: list}}}, len(list) > 0
	}
	return nil, false
}

// variablePart matches {name} or {name:expression} of version 2.
var variablePart = regexp.MustCompile(`\{[\w-]*(?::([^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}`)

func (r *rule) paths() (all []term, ok bool) {
	for _, a := range r.args {
		var c conditions
		switch {
		case r.name == "PathRegexp":
			if c.regexp, ok = expression(a, false); !ok {
				return nil, false
			}
		case variablePart.MatchString(a): // a pattern of version 2
			text := filled(variablePart, a, "[^/]+", r.name == "Path")
			if c.regexp, ok = expression(text, false); !ok {
				return nil, false
			}
		case !strings.HasPrefix(a, "/"):
			return nil, false
		case r.name == "Path":
			c.exactly(a)
		default:
			c.pathAt(a, true)
		}
		all = append(all, term{has: c})
	}
	return all, true
}
