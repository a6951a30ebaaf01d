package pagetemplate

import (
	"cmp"
	"errors"
	"fmt"
	"html"
	"net/url"
	"text/template/parse"
)

// function is a function that a template may call. Its operands are strings, ints, floats and
// bools. It takes at least least of them, and at most most unless that is 0.
type function struct {
	least, most int
	do          func(args []any) (any, error)
}

func functions() map[string]function {
	return map[string]function{
		"and":      {least: 1}, // and, or: both evaluate their operands themselves
		"or":       {least: 1},
		"not":      {1, 1, func(a []any) (any, error) { return !truth(a[0]), nil }},
		"eq":       {2, 0, equalsAny},
		"ne":       {2, 2, ordered(func(c int) bool { return c != 0 })},
		"lt":       {2, 2, ordered(func(c int) bool { return c < 0 })},
		"le":       {2, 2, ordered(func(c int) bool { return c <= 0 })},
		"gt":       {2, 2, ordered(func(c int) bool { return c > 0 })},
		"ge":       {2, 2, ordered(func(c int) bool { return c >= 0 })},
		"len":      {1, 1, length},
		"index":    {2, 2, index},
		"slice":    {1, 3, slice},
		"print":    {0, 0, func(a []any) (any, error) { return fmt.Sprint(a...), nil }},
		"println":  {0, 0, func(a []any) (any, error) { return fmt.Sprintln(a...), nil }},
		"printf":   {1, 0, format},
		"html":     {0, 0, func(a []any) (any, error) { return html.EscapeString(fmt.Sprint(a...)), nil }},
		"js":       {0, 0, func(a []any) (any, error) { return jsText(fmt.Sprint(a...)), nil }},
		"urlquery": {0, 0, func(a []any) (any, error) { return url.QueryEscape(fmt.Sprint(a...)), nil }},
	}
}

// function calls a function by name.
func (e *execution) function(name string, nodes []parse.Node, last []any) (any, error) {
	f := functions()[name]
	if n := len(nodes) + len(last); n < f.least || f.most > 0 && n > f.most {
		return nil, fmt.Errorf("%s has %d operands", name, n)
	}
	if f.do == nil {
		return e.logic(name == "or", nodes, last)
	}
	var args []any
	for _, n := range nodes {
		v, err := e.operand(n)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	args = append(args, last...)
	for _, a := range args {
		switch a.(type) {
		case string, int, float64, bool:
		default:
			return nil, fmt.Errorf("%s needs a value, such as a field", name)
		}
	}
	v, err := f.do(args)
	if err != nil && !(e.everything && errors.Is(err, errRange)) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// logic returns the first operand whose truth is stop, else the last one. It stops evaluating
// there.
func (e *execution) logic(stop bool, nodes []parse.Node, last []any) (v any, err error) {
	for _, n := range nodes {
		if v, err = e.operand(n); err != nil {
			return nil, err
		}
		if truth(v) == stop && !e.everything {
			return v, nil
		}
	}
	if len(last) > 0 {
		v = last[0]
	}
	return v, nil
}

// compare is like cmp.Compare, for two values of one type.
func compare(a, b any) (int, error) {
	switch a := a.(type) {
	case int:
		if b, ok := b.(int); ok {
			return cmp.Compare(a, b), nil
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b), nil
		}
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b), nil
		}
	case bool:
		if b, ok := b.(bool); ok {
			return cmp.Compare(text(a), text(b)), nil
		}
	}
	return 0, fmt.Errorf("%#v and %#v: %s cannot be compared with %s", a, b, typeOf(a), typeOf(b))
}

func ordered(is func(int) bool) func([]any) (any, error) {
	return func(a []any) (any, error) {
		c, err := compare(a[0], a[1])
		return is(c), err
	}
}

// equalsAny reports whether the first operand equals one of the others.
func equalsAny(a []any) (any, error) {
	found := false
	for _, b := range a[1:] {
		c, err := compare(a[0], b)
		if err != nil {
			return nil, err
		}
		found = found || c == 0
	}
	return found, nil
}

func length(a []any) (any, error) {
	s, ok := a[0].(string)
	if !ok {
		return nil, fmt.Errorf("%s has no length", typeOf(a[0]))
	}
	return len(s), nil
}

func index(a []any) (any, error) {
	s, at, err := positions(a)
	if err != nil {
		return nil, err
	}
	if at[0] < 0 || at[0] >= len(s) {
		return 0, fmt.Errorf("%d of a text of %d bytes: %w", at[0], len(s), errRange)
	}
	return int(s[at[0]]), nil
}

func slice(a []any) (any, error) {
	s, at, err := positions(a)
	if err != nil {
		return nil, err
	}
	bounds := [2]int{0, len(s)}
	copy(bounds[:], at)
	if bounds[0] < 0 || bounds[1] < bounds[0] || bounds[1] > len(s) {
		return "", fmt.Errorf("%d to %d of a text of %d bytes: %w", bounds[0], bounds[1], len(s), errRange)
	}
	return s[bounds[0]:bounds[1]], nil
}

// positions checks the operands of a function that takes a part of a text.
func positions(a []any) (s string, at []int, err error) {
	s, ok := a[0].(string)
	if !ok {
		return "", nil, fmt.Errorf("%s has no parts", typeOf(a[0]))
	}
	for _, p := range a[1:] {
		i, ok := p.(int)
		if !ok {
			return "", nil, fmt.Errorf("%#v is no position", p)
		}
		at = append(at, i)
	}
	return s, at, nil
}

func format(a []any) (any, error) {
	f, ok := a[0].(string)
	if !ok {
		return nil, fmt.Errorf("%#v is no format", a[0])
	}
	return fmt.Sprintf(f, a[1:]...), nil
}
