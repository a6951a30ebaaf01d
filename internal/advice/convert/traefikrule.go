package convert

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
)

// rule is an expression of Traefik's rule language: a matcher with its arguments, or
// rules that are joined.
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

// terms are those of a rule; ok is false when a route cannot ask for it.
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
	if len(r.args) == 0 {
		return nil, false
	}
	switch r.name {
	case "Host", "HostHeader":
		return hostTerms(r.args)
	case "HostRegexp":
		var names []string
		for _, a := range r.args {
			name, ok := hostOf(a)
			if !ok {
				return nil, false
			}
			if name == "*" {
				return []term{{}}, true
			}
			names = append(names, name)
		}
		return hostTerms(names)
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
	case "Header", "Headers":
		if len(r.args) != 2 || !isToken(r.args[0]) || r.args[1] == "" || r.args[1] == "*" || !isValue(r.args[1]) || strings.EqualFold(r.args[0], "Host") {
			return nil, false
		}
		return []term{{has: conditions{headers: map[string]string{http.CanonicalHeaderKey(r.args[0]): r.args[1]}}}}, true
	case "ClientIP":
		list := ranges(r.args)
		return []term{{has: conditions{clients: list}}}, len(list) > 0
	}
	return nil, false
}

// variablePart is {name} or {name:expression} of version 2.
var variablePart = regexp.MustCompile(`\{[\w-]*(?::([^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}`)

func (r *rule) paths() (all []term, ok bool) {
	for _, a := range r.args {
		var c conditions
		switch {
		case r.name == "PathRegexp":
			if c.regexp, ok = expression(a, false); !ok {
				return nil, false
			}
		case variablePart.MatchString(a): // of version 2
			text, last := "^", 0
			for _, m := range variablePart.FindAllStringSubmatchIndex(a, -1) {
				text += regexp.QuoteMeta(a[last:m[0]])
				if m[2] >= 0 {
					text += "(?:" + a[m[2]:m[3]] + ")"
				} else {
					text += "[^/]+"
				}
				last = m[1]
			}
			text += regexp.QuoteMeta(a[last:])
			if r.name == "Path" {
				text += "$"
			}
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

// hostOf is the name with a wildcard that an expression stands for, "*" for all names.
func hostOf(text string) (string, bool) {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "^"), "$")
	if m := variablePart.FindStringSubmatchIndex(text); m != nil && m[0] == 0 && m[2] >= 0 { // of version 2
		inner := text[m[2]:m[3]]
		if rest := text[m[1]:]; rest == "" || isName(strings.TrimPrefix(rest, ".")) {
			text = inner + strings.ReplaceAll(rest, ".", `\.`)
		}
	}
	for _, any := range []string{".+", ".*"} {
		rest, ok := strings.CutPrefix(text, any)
		if ok && rest == "" {
			return "*", true
		}
		if name := strings.ReplaceAll(rest, `\.`, "."); ok && strings.HasPrefix(rest, `\.`) && isName(name[1:]) && !strings.Contains(strings.ReplaceAll(rest, `\.`, ""), ".") {
			return "*" + name, true
		}
	}
	name := strings.ReplaceAll(text, `\.`, ".")
	return name, isName(name) && !strings.Contains(strings.ReplaceAll(text, `\.`, ""), ".")
}
