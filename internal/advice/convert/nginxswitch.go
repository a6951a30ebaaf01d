package convert

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// valueCase is an entry of a map or of geo: what requests it is for, and the value that the
// variable has for them. The first that a request meets counts.
type valueCase struct {
	conditions
	value string
}

// values are the cases of a variable that a map or geo defines, the last for all that is
// left. ok is false when a route cannot ask for what it goes by.
func (n *nginx) values(name string) (cases []valueCase, from *nginxconf.Directive, ok bool) {
	for _, d := range n.http {
		if d.Name != "map" && d.Name != "geo" || lastArg(d) != name {
			continue
		}
		if from != nil {
			return nil, nil, false
		}
		from = d
	}
	switch {
	case from == nil:
		return nil, nil, false
	case from.Name == "geo":
		cases, ok = networkCases(from)
	case len(from.Args) == 2:
		cases, ok = mapCases(from, plainText)
	}
	return cases, from, ok
}

// networkCases are those of geo: the narrowest network counts.
func networkCases(d *nginxconf.Directive) ([]valueCase, bool) {
	if len(d.Args) == 2 && d.Arg(0) != "$remote_addr" {
		return nil, false
	}
	type entry struct {
		network netip.Prefix
		value   string
	}
	var all []entry
	rest := ""
	for _, in := range d.Block {
		text, ok := network(in.Name)
		switch {
		case len(in.Args) != 1:
			return nil, false
		case in.Name == "default":
			rest = in.Arg(0)
			continue
		case !ok:
			return nil, false // ranges, include, proxy
		}
		if !strings.Contains(text, "/") {
			a, _ := netip.ParseAddr(text)
			all = append(all, entry{netip.PrefixFrom(a, a.BitLen()), in.Arg(0)})
			continue
		}
		all = append(all, entry{netip.MustParsePrefix(text), in.Arg(0)})
	}
	slices.SortStableFunc(all, func(a, b entry) int { return b.network.Bits() - a.network.Bits() })
	var cases []valueCase
	for _, e := range all {
		text, _ := network(strings.TrimSuffix(e.network.String(), map[bool]string{true: "/32", false: "/128"}[e.network.Addr().Is4()]))
		if last := len(cases) - 1; last >= 0 && cases[last].value == e.value {
			cases[last].clients = append(cases[last].clients, text)
			continue
		}
		cases = append(cases, valueCase{conditions{clients: []string{text}}, e.value})
	}
	return append(cases, valueCase{value: rest}), true
}

// plainText reports whether a value has no variable.
func plainText(value string) bool { return !strings.Contains(value, "$") }

// mapCases are those of a map: texts first, then expressions in their order. What is empty
// or absent comes last, as the expressions of a route do not match it.
func mapCases(d *nginxconf.Directive, may func(value string) bool) ([]valueCase, bool) {
	var texts, expressions []valueCase
	rest, empty, hasEmpty := "", "", false
	for _, in := range d.Block {
		switch {
		case len(in.Args) != 1 || !may(in.Arg(0)):
			return nil, false // hostnames, include and the like
		case in.Name == "default":
			rest = in.Arg(0)
			continue
		case in.Name == "":
			empty, hasEmpty = in.Arg(0), true
			continue
		}
		g, ok := mapKey(d.Arg(0), in.Name)
		if !ok {
			return nil, false
		}
		c := valueCase{g.conditions, in.Arg(0)}
		if strings.HasPrefix(in.Name, "~") {
			expressions = append(expressions, c)
		} else {
			texts = append(texts, c)
		}
	}
	cases := append(texts, expressions...)
	if !hasEmpty || empty == rest {
		return append(cases, valueCase{value: rest}), true
	}
	key, name, ok := valued(d.Arg(0))
	if !ok {
		return nil, false
	}
	c := valueCase{value: rest}
	c.ask(key+"_regexp", name, "(?s).")
	return append(cases, c, valueCase{value: empty}), true
}

// holds reports whether the condition of an "if" holds for a value of its variable.
func holds(args []string, value string) (is, ok bool) {
	if len(args) == 1 {
		return value != "" && value != "0", true
	}
	if len(args) != 3 || strings.Contains(args[2], "$") && !strings.Contains(args[1], "~") {
		return false, false
	}
	op, not := strings.CutPrefix(args[1], "!")
	switch op {
	case "=":
		is = value == args[2]
	case "~", "~*":
		re, can := expression(args[2], op == "~*")
		if !can {
			return false, false
		}
		is = regexp.MustCompile(re).MatchString(value)
	default:
		return false, false
	}
	return is != not, true
}

// switched are the guards of an "if" about a variable of a map or of geo: what must happen
// stands in each of its cases for which the condition holds, and the others pass.
func (n *nginx) switched(args []string, g guard) (guards []guard, ok bool) {
	cases, from, ok := n.values(first(args))
	if !ok {
		return nil, false
	}
	for i, c := range cases {
		is, ok := holds(args, c.value)
		if !ok {
			return nil, false
		}
		one := guard{conditions: c.conditions, lost: g.lost}
		if is {
			one.answer, one.behind = g.answer, g.behind
		}
		if is && g.then != nil {
			one.then = func(r route, rest []guard) { g.then(r, rest[min(len(cases)-1-i, len(rest)):]) }
		}
		guards = append(guards, one)
	}
	for i := range guards {
		guards[i].passes = len(guards) - 1 - i
	}
	n.use(from)
	return guards, true
}

// sparing resolves a key of limit_req that a map leaves empty for some requests, which are
// not counted: the key of the others, and the cases, whose value is empty for those.
func (n *nginx) sparing(name string) (key string, cases []valueCase, used []*nginxconf.Directive, ok bool) {
	i := slices.IndexFunc(n.http, func(d *nginxconf.Directive) bool { return d.Name == "map" && len(d.Args) == 2 && d.Arg(1) == name })
	if i < 0 {
		return "", nil, nil, false
	}
	d := *n.http[i]
	d.Block = nil
	for _, in := range n.http[i].Block {
		one := *in
		if value := in.Arg(0); len(in.Args) == 1 && value != "" {
			if _, ok := countedBy(value); !ok || key != "" && key != value {
				return "", nil, nil, false
			}
			key, one.Args = value, []string{"counted"}
		}
		d.Block = append(d.Block, &one)
	}
	used = []*nginxconf.Directive{n.http[i]}
	source, from, isMade := n.values(d.Arg(0))
	if !isMade {
		cases, ok = mapCases(&d, plainText)
		return key, cases, used, ok && key != ""
	}
	for _, c := range source {
		if c.value, ok = chosenBy(d.Block, c.value); !ok {
			return "", nil, nil, false
		}
		cases = append(cases, c)
	}
	return key, cases, append(used, from), key != ""
}

// chosenBy is the value that the entries of a map have for a text. Expressions are none of
// its business.
func chosenBy(entries []*nginxconf.Directive, text string) (value string, ok bool) {
	for _, in := range entries {
		switch {
		case len(in.Args) != 1 || strings.HasPrefix(in.Name, "~"):
			return "", false
		case in.Name == "default":
			value = in.Arg(0)
		}
	}
	for _, in := range entries {
		if in.Name == text && text != "default" {
			return in.Arg(0), true
		}
	}
	return value, true
}

// spared are the guards for requests that a limit does not count.
func (n *nginx) spared(cases []valueCase, rate string, lost Note) (guards []guard) {
	for i, c := range cases {
		behind := len(cases) - 1 - i
		g := guard{conditions: c.conditions, passes: behind, lost: lost}
		if c.value == "" {
			g.then = func(r route, rest []guard) {
				r.rates = slices.DeleteFunc(slices.Clone(r.rates), func(s string) bool { return s == rate })
				n.guarded(r, rest[min(behind, len(rest)):])
			}
		}
		guards = append(guards, g)
	}
	return guards
}
