package pagetemplate

import (
	"errors"
	"slices"
	"strings"
)

// contentOf returns the language of an attribute's value.
func contentOf(attribute string) content {
	name := strings.TrimPrefix(attribute, "data-")
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		name = name[i+1:] // for example xlink:href
	}
	urls := []string{"action", "archive", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon",
		"longdesc", "manifest", "ping", "poster", "profile", "src", "usemap", "xmlns"}
	switch {
	case strings.HasPrefix(name, "on"):
		return code
	case name == "style":
		return style
	case name == "srcset", name == "imagesrcset":
		return addresses
	case name == "srcdoc":
		return inner
	case name == "content":
		return refresh
	case slices.Contains(urls, name), strings.Contains(name, "src"), strings.Contains(name, "uri"), strings.Contains(name, "url"),
		strings.HasPrefix(attribute, "xmlns:"):
		return address
	}
	return plain
}

// readContent reads a part of an attribute's value or of an element's content, with the
// character references of HTML already decoded.
func (p *place) readContent(text string) error {
	switch p.kind {
	case refresh:
		i := strings.Index(strings.ToLower(text), "url=")
		if i < 0 {
			return nil
		}
		p.kind, text = address, text[i+len("url="):]
		fallthrough
	case address:
		p.url = p.url.after(text)
	case code:
		return p.script.read(text)
	}
	return nil
}

func (p place) value() (writing, context, error) {
	var w writing
	var err error
	switch p.state {
	case inComment:
		return writing{escape: func(any) string { return "" }}, p, nil
	case inText, inDoctype:
		w = writing{text, "html"}
	case inElement, inValue, beforeValue:
		w, err = p.valueInContent()
	default:
		err = errors.New("a value cannot stand in a tag, only in the value of an attribute")
	}
	if err != nil {
		return writing{}, nil, err
	}
	w.escape = p.enclose(w.escape)
	switch {
	case p.state == beforeValue:
		p.state = inValue
	case p.kind == code && p.script.in == inCode:
		p.script.slash = divides
	}
	if p.kind == address && p.url == atStart {
		p.url = inPath
	}
	return w, p, nil
}

// valueInContent returns the way to write a value in the language of p.
func (p place) valueInContent() (writing, error) {
	switch p.kind {
	case address:
		return p.url.value()
	case addresses:
		return writing{func(v any) string { return urlText(text(v)) }, "urlquery"}, nil
	case style:
		return writing{escape: func(v any) string { return cssText(text(v)) }}, nil
	case code:
		return p.script.value()
	case inner:
		return writing{}, errors.New("a value cannot stand in srcdoc")
	}
	return writing{text, "html"}, nil
}

// enclose returns a function that calls escape and escapes the result for HTML.
func (p place) enclose(escape func(any) string) func(any) string {
	switch {
	case p.state == inElement && p.kind != plain:
		return escape
	case p.state == beforeValue, p.state == inValue && p.quote == 0:
		begins := p.state == beforeValue
		return func(v any) string {
			s := bareText(escape(v))
			if s == "" && begins {
				return "&#32;" // without it the next attribute would become the value
			}
			return s
		}
	}
	return func(v any) string { return htmlText(escape(v)) }
}

// part is a position in a URL.
type part int

const (
	atStart part = iota
	inPath       // path or authority
	inQuery      // query or fragment
	unclear      // the branches of a condition end at different positions
)

func (p part) after(text string) part {
	switch {
	case strings.ContainsAny(text, "?#"):
		return inQuery
	case p == atStart && strings.Trim(text, space) != "":
		return inPath
	}
	return p
}

func (p part) value() (writing, error) {
	switch p {
	case atStart:
		return writing{escape: func(v any) string { return urlReference(text(v)) }}, nil
	case inPath:
		return writing{escape: func(v any) string { return urlPath(text(v)) }}, nil
	case inQuery:
		return writing{func(v any) string { return urlText(text(v)) }, "urlquery"}, nil
	}
	return writing{}, errors.New("it is not clear whether the value stands in the path or the query of a URL")
}
