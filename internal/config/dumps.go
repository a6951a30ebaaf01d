//go:build !minimal

package config

import (
	"reflect"
)

// DiffDumps is [Diff] for two configurations in the form of [Dump]. Hidden values count as equal.
func DiffDumps(a, b []byte) ([]Change, error) {
	before, err := undump(a)
	if err != nil {
		return nil, err
	}
	after, err := undump(b)
	if err != nil {
		return nil, err
	}
	return Diff(before, after), nil
}

// undump parses a dump. Hidden values, and keys of another version of goodgate, stay at their defaults.
func undump(text []byte) (*Config, error) {
	root, err := parseTree("", text, false)
	if err != nil {
		return nil, err
	}
	d := &decoder{texts: new(texts), at: positions{}}
	d.texts.add(File{Text: text})
	c := Default()
	d.decode(root, "", reflect.ValueOf(c).Elem(), field{typ: reflect.TypeFor[Config]()})
	return c, nil
}
