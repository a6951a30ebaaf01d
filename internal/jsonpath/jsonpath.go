// Package jsonpath checks values in a JSON text against conditions, for the answers of
// health checks. A path is a list of names and indexes with dots between them. It is not
// the JSONPath of RFC 9535.
package jsonpath

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Condition is a condition on a value in a JSON text. Use [Parse].
type Condition struct {
	path  string
	steps []string
	op    string // =, !=, <, <=, >, >= or *
	want  string
}

// ops lists the comparisons, with longer ones first.
var ops = []string{"!=", "<=", ">=", "<", ">", "="}

// Parse returns a condition. The path consists of member names and list indexes with dots
// between them, such as "db.replicas.0.state". A backslash before a dot makes the dot part
// of a name. The condition is a comparison (=, !=, <, <=, >, >=) and a value, such as "<
// 100". A value alone means =, and * accepts every value. = and != compare the text of
// strings, numbers, true, false and null. The others need numbers.
func Parse(path, condition string) (Condition, error) {
	e := Condition{path: path, op: "=", want: strings.TrimSpace(condition)}
	for _, step := range splitPath(path) {
		if step == "" {
			return e, fmt.Errorf("%q: a name in the path is empty", path)
		}
		e.steps = append(e.steps, step)
	}
	if e.want == "*" {
		e.op = "*"
		return e, nil
	}
	for _, op := range ops {
		if rest, ok := strings.CutPrefix(e.want, op); ok {
			e.op, e.want = op, strings.TrimSpace(rest)
			break
		}
	}
	if e.op != "=" && e.op != "!=" {
		if _, ok := number(e.want); !ok {
			return e, fmt.Errorf("%q: %s needs a number after it", condition, e.op)
		}
	}
	return e, nil
}

func splitPath(path string) []string {
	var steps []string
	var step strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path):
			i++
			step.WriteByte(path[i])
		case c == '.':
			steps = append(steps, step.String())
			step.Reset()
		default:
			step.WriteByte(c)
		}
	}
	return append(steps, step.String())
}

// number parses a decimal number.
func number(text string) (float64, bool) {
	if text == "" || strings.Trim(text, "0123456789.+-eE") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// Judge returns an error that names the first condition that text does not meet.
func Judge(text []byte, conditions []Condition) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var root any
	if err := d.Decode(&root); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	for i := range conditions {
		if err := conditions[i].judge(root); err != nil {
			return err
		}
	}
	return nil
}

func (e *Condition) judge(root any) error {
	v, ok := e.find(root)
	switch {
	case !ok:
		return fmt.Errorf("no %q in the JSON value", e.path)
	case e.op == "*", e.holds(v):
		return nil
	}
	return fmt.Errorf("%q in the JSON value has another value than expected", e.path)
}

// find returns the value at the path.
func (e *Condition) find(v any) (any, bool) {
	for _, step := range e.steps {
		switch t := v.(type) {
		case map[string]any:
			member, ok := t[step]
			if !ok {
				return nil, false
			}
			v = member
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(t) {
				return nil, false
			}
			v = t[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func (e *Condition) holds(v any) bool {
	text, plain := textOf(v)
	have, is := number(text)
	want, ok := number(e.want)
	numbers := is && ok
	switch e.op {
	case "=":
		return plain && text == e.want || numbers && have == want
	case "!=":
		return !(plain && text == e.want || numbers && have == want)
	case "<":
		return numbers && have < want
	case "<=":
		return numbers && have <= want
	case ">":
		return numbers && have > want
	}
	return numbers && have >= want
}

// textOf returns the text of a value; false for an object or a list.
func textOf(v any) (string, bool) {
	switch t := v.(type) {
	case string:
		return t, true
	case json.Number:
		return t.String(), true
	case bool:
		return strconv.FormatBool(t), true
	case nil:
		return "null", true
	}
	return "", false
}
