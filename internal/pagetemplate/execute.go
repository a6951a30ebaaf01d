package pagetemplate

import (
	"errors"
	"fmt"
	"strings"
	"text/template/parse"
)

// execution is one execution of a template.
type execution struct {
	out        strings.Builder
	dot        any
	variables  []variable
	everything bool // all branches and operands run, to check the template for any values
}

type variable struct {
	name  string
	value any
}

func newExecution(data Data) *execution {
	return &execution{dot: data, variables: []variable{{"$", data}}}
}

// errRange is an error that depends on the values, such as a position after the end of a
// text.
var errRange = errors.New("out of range")

func (e *execution) run(steps []step) error {
	for i := range steps {
		if err := e.step(&steps[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *execution) step(s *step) error {
	if s.kind == literal {
		e.out.WriteString(s.text)
		return nil
	}
	variables := len(e.variables)
	v, err := e.pipe(s.pipe)
	if err != nil {
		return fmt.Errorf("%s: %w", s.at, err)
	}
	switch s.kind {
	case assign:
		return nil
	case write:
		if _, ok := v.(Data); ok {
			return fmt.Errorf("%s: name a field: %s", s.at, v.(Data).names())
		}
		if v != nil {
			e.out.WriteString(s.escape(v))
		}
		return nil
	}
	err = e.block(s, v)
	e.variables = e.variables[:variables]
	return err
}

// block runs the step's inner steps, after its pipe has returned v.
func (e *execution) block(s *step, v any) error {
	dot := e.dot
	defer func() { e.dot = dot }()
	if s.kind == call {
		variables := e.variables
		e.dot, e.variables = v, []variable{{"$", v}}
		defer func() { e.variables = variables }()
		return e.run(s.then)
	}
	if e.everything || truth(v) {
		if s.kind == with {
			e.dot = v
		}
		if err := e.run(s.then); err != nil {
			return err
		}
		e.dot = dot
	}
	if e.everything || !truth(v) {
		return e.run(s.otherwise)
	}
	return nil
}

// pipe evaluates a pipeline, and sets its variable. The value of a nil pipe is nil.
func (e *execution) pipe(p *parse.PipeNode) (v any, err error) {
	if p == nil {
		return nil, nil
	}
	var last []any // the result of the previous command
	for _, c := range p.Cmds {
		if v, err = e.command(c, last); err != nil {
			return nil, err
		}
		last = []any{v}
	}
	for _, d := range p.Decl {
		name := d.Ident[0]
		if !p.IsAssign {
			e.variables = append(e.variables, variable{name, v})
		} else if old := e.variable(name); old != nil {
			old.value = v
		}
	}
	return v, nil
}

func (e *execution) variable(name string) *variable {
	for i := len(e.variables) - 1; i >= 0; i-- {
		if e.variables[i].name == name {
			return &e.variables[i]
		}
	}
	return nil
}

// command evaluates a command. The value of the previous command is its last operand.
func (e *execution) command(c *parse.CommandNode, last []any) (any, error) {
	if id, ok := c.Args[0].(*parse.IdentifierNode); ok {
		return e.function(id.Ident, c.Args[1:], last)
	}
	if len(c.Args) > 1 || len(last) > 0 {
		return nil, fmt.Errorf("%s is not a function", c.Args[0])
	}
	return e.operand(c.Args[0])
}

func (e *execution) operand(n parse.Node) (any, error) {
	switch n := n.(type) {
	case *parse.DotNode:
		return e.dot, nil
	case *parse.StringNode:
		return n.Text, nil
	case *parse.BoolNode:
		return n.True, nil
	case *parse.NumberNode:
		return number(n)
	case *parse.FieldNode:
		return field(e.dot, n.Ident)
	case *parse.VariableNode:
		if v := e.variable(n.Ident[0]); v != nil {
			return field(v.value, n.Ident[1:])
		}
	case *parse.PipeNode:
		return e.pipe(n)
	case *parse.ChainNode:
		v, err := e.operand(n.Node)
		if err != nil {
			return nil, err
		}
		return field(v, n.Field)
	case *parse.IdentifierNode:
		return e.function(n.Ident, nil, nil)
	}
	return nil, fmt.Errorf("%s is not available", n)
}

func number(n *parse.NumberNode) (any, error) {
	switch {
	case n.IsInt:
		return int(n.Int64), nil
	case n.IsFloat:
		return n.Float64, nil
	}
	return nil, fmt.Errorf("%s: neither an int nor a float", n)
}

// field looks up names in v, one after the other.
func field(v any, names []string) (any, error) {
	for _, name := range names {
		data, ok := v.(Data)
		if !ok {
			return nil, fmt.Errorf("%s has no field %s; $.%s is the page's", typeOf(v), name, name)
		}
		if v, ok = data[name]; !ok {
			return nil, fmt.Errorf("there is no field %s; the fields are %s", name, data.names())
		}
	}
	return v, nil
}

// truth reports whether a value meets a condition: all do, except false, 0 and the empty
// text.
func truth(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case Data:
		return true
	}
	return false
}

// text returns a value in its printed form.
func text(v any) string { return fmt.Sprint(v) }

// typeOf returns the name of a value's type, for an error.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "no value"
	case int:
		return "an int"
	case Data:
		return "the page"
	}
	return fmt.Sprintf("a %T", v)
}
