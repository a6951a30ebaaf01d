package logging

import (
	"errors"
	"regexp"
	"strings"

	"github.com/goodgate/goodgate/internal/vars"
	"github.com/goodgate/goodgate/proxy"
)

// ofResponse matches the variables in braces that only the log has.
var ofResponse = regexp.MustCompile(`\{(response|upstream)_header[:.]([^{}]+)\}`)

// parseBraces parses a text with variables in the form of routes: {name} or
// {kind:name}.
func parseBraces(text string, d redactor) (*template, error) {
	c, last := compiler{redactor: d}, 0
	for _, at := range ofResponse.FindAllStringSubmatchIndex(text, -1) {
		if err := c.braces(text[last:at[0]]); err != nil {
			return nil, err
		}
		if kind, name := text[at[2]:at[3]], text[at[4]:at[5]]; kind == "response" {
			c.sentHeader(name)
		} else {
			c.upstreamHeader(name)
		}
		last = at[1]
	}
	if err := c.braces(text[last:]); err != nil {
		return nil, err
	}
	return &c.template, nil
}

// braces adds a text with the variables of routes.
func (c *compiler) braces(text string) error {
	parts, unknowns := vars.Parse(text)
	if len(unknowns) > 0 {
		return unknownBrace(unknowns[0])
	}
	for _, p := range parts {
		if p.Group > 0 {
			return errors.New("{1} to {9} have no value in the log: they belong to the redirects and headers of a route")
		}
		if p.Plain != "" {
			c.text(p.Plain)
			continue
		}
		v, err := brace(p.Name + p.Parameter)
		if err != nil {
			return err
		}
		c.brace(p, v)
	}
	return nil
}

// brace adds a variable with the value v.
func (c *compiler) brace(p vars.Part, v value) {
	d := c.redactor
	switch {
	case p.Parameter != "":
		c.named(p.Parameter, func(r *proxy.Record) string { return string(v(nil, r)) })
	case p.Name == "uri" || p.Name == "query":
		c.value(func(b []byte, r *proxy.Record) []byte { return d.appendURI(b, string(v(nil, r))) })
	case p.Name == "args":
		c.value(func(b []byte, r *proxy.Record) []byte { return d.appendQuery(b, string(v(nil, r))) })
	default:
		c.value(v)
	}
}

// brace returns the value of a variable in braces.
func brace(name string) (value, error) {
	text, err := proxy.NewText("{" + name + "}")
	if err != nil {
		return nil, err
	}
	return text.Append, nil
}

// mustBrace is brace for a name that exists.
func mustBrace(name string) value {
	v, err := brace(name)
	if err != nil {
		panic("logging: " + err.Error()) // a bug in this package
	}
	return v
}

func unknownBrace(word string) error {
	known := []string{"response_header:NAME", "upstream_header:NAME"}
	kind, parameter := word, ""
	if i := strings.IndexAny(word, ":."); i > 0 {
		kind, parameter = word[:i], word[i:]
	}
	for _, name := range append(vars.Names(vars.Answer), known...) {
		// {haeder:X-A} means {header:X-A}: any parameter is right.
		if of, takes := strings.CutSuffix(name, ":NAME"); takes && parameter != "" {
			name = of + parameter
		}
		known = append(known, name)
	}
	if vars.Takes(strings.TrimRight(kind, ":.")) || kind == "response_header" || kind == "upstream_header" {
		return errors.New("{" + word + "} needs a name, as in {" + kind + ":NAME}")
	}
	return unknown(word, "{%s}", known)
}
