package pagetemplate

import (
	"fmt"
	"slices"
	"text/template/parse"
)

// context is the place in a page after some text. It is comparable.
type context interface {
	// literal returns the context after text of the template, and the text to write.
	literal(text string) (context, string, error)
	// value returns how to write a value here, and the context after it.
	value() (writing, context, error)
	// join returns the one context for the ends of two branches.
	join(other context) (context, bool)
	// end returns an error if no page may end here.
	end() error
}

// writing is the way to write a value at a place.
type writing struct {
	escape func(any) string
	same   string // a template function with the same effect, which is ignored at the end of a pipeline
}

// step is a node of a template, bound to its place in the page.
type step struct {
	kind            kind
	text            string // the text of a literal
	at              string // for errors: file, line, column and the node
	pipe            *parse.PipeNode
	escape          func(any) string // for write
	then, otherwise []step
}

type kind int

const (
	literal kind = iota
	write        // the value of pipe
	assign       // a variable
	branch       // then if the value is true, else otherwise
	with         // the same, with the value as the dot
	call         // then, with the value as the dot, and variables of its own
)

// maxSteps bounds a template whose templates include each other many times.
const maxSteps = 10_000

// compiler makes the steps of a template. It copies an included template into each caller, so
// that each step has exactly one place in the page.
type compiler struct {
	trees map[string]*parse.Tree
	tree  *parse.Tree
	calls []string // names of the templates around the current node, outermost first
	steps int
}

func (c *compiler) errorf(n parse.Node, format string, args ...any) error {
	return fmt.Errorf("%s: %w", c.at(n), fmt.Errorf(format, args...))
}

func (c *compiler) at(n parse.Node) string {
	location, node := c.tree.ErrorContext(n)
	return location + ": " + node
}

func (c *compiler) list(l *parse.ListNode, in context) (steps []step, out context, err error) {
	if l == nil {
		return nil, in, nil
	}
	for _, n := range l.Nodes {
		if c.steps++; c.steps > maxSteps {
			return nil, nil, c.errorf(n, "the template has more than %d parts", maxSteps)
		}
		var s step
		if s, in, err = c.node(n, in); err != nil {
			return nil, nil, err
		}
		steps = append(steps, s)
	}
	return steps, in, nil
}

func (c *compiler) node(n parse.Node, in context) (step, context, error) {
	switch n := n.(type) {
	case *parse.TextNode:
		out, text, err := in.literal(string(n.Text))
		if err != nil {
			return step{}, nil, c.errorf(n, "%w", err)
		}
		return step{kind: literal, text: text}, out, nil
	case *parse.CommentNode:
		return step{kind: literal}, in, nil
	case *parse.ActionNode:
		return c.action(n, in)
	case *parse.IfNode:
		return c.branch(branch, &n.BranchNode, in)
	case *parse.WithNode:
		return c.branch(with, &n.BranchNode, in)
	case *parse.TemplateNode:
		return c.call(n, in)
	case *parse.RangeNode:
		return step{}, nil, c.errorf(n, "range is not available: no field is a list")
	}
	return step{}, nil, c.errorf(n, "not available here")
}

func (c *compiler) action(n *parse.ActionNode, in context) (step, context, error) {
	s := step{kind: assign, at: c.at(n), pipe: n.Pipe}
	if len(n.Pipe.Decl) > 0 {
		return s, in, nil
	}
	w, out, err := in.value()
	if err != nil {
		return step{}, nil, c.errorf(n, "%w", err)
	}
	s.kind, s.escape = write, w.escape
	last := n.Pipe.Cmds[len(n.Pipe.Cmds)-1]
	if id, ok := last.Args[0].(*parse.IdentifierNode); ok && id.Ident == w.same {
		s.pipe = n.Pipe.CopyPipe()
		s.pipe.Cmds[len(s.pipe.Cmds)-1].Args[0].(*parse.IdentifierNode).Ident = "print"
	}
	return s, out, nil
}

func (c *compiler) branch(k kind, n *parse.BranchNode, in context) (step, context, error) {
	s := step{kind: k, at: c.at(n.Pipe), pipe: n.Pipe}
	then, a, err := c.list(n.List, in)
	if err != nil {
		return step{}, nil, err
	}
	otherwise, b, err := c.list(n.ElseList, in)
	if err != nil {
		return step{}, nil, err
	}
	out, ok := a.join(b)
	if !ok {
		return step{}, nil, c.errorf(n.Pipe, "the branches end in different contexts: %v and %v", a, b)
	}
	s.then, s.otherwise = then, otherwise
	return s, out, nil
}

func (c *compiler) call(n *parse.TemplateNode, in context) (step, context, error) {
	tree := c.trees[n.Name]
	if tree == nil {
		return step{}, nil, c.errorf(n, "there is no template %q", n.Name)
	}
	if slices.Contains(c.calls, n.Name) {
		return step{}, nil, c.errorf(n, "template %q includes itself", n.Name)
	}
	s := step{kind: call, at: c.at(n), pipe: n.Pipe}
	inner := compiler{trees: c.trees, tree: tree, calls: append(slices.Clone(c.calls), n.Name), steps: c.steps}
	then, out, err := inner.list(tree.Root, in)
	c.steps, s.then = inner.steps, then
	return s, out, err
}
