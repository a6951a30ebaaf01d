package config

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// hidden replaces hidden text.
const hidden = "(hidden)"

// format is a kind of text.
type format struct {
	check func(string) (string, error) // returns the normal form, or says what was expected
	tell  func(string) string          // returns the public part; nil = none, because it may be a secret
}

// told returns the public part of a value's text, for errors, [Dump] and [Diff]. Free
// text may be a secret, unless the field's tags exclude that: by the allowed values
// (enum, format, file) or explicitly (public). So a new key is hidden until its author
// decides otherwise.
func (f field) told(text string) string {
	switch {
	case text == "" || f.hasDefault && text == f.def:
		return text
	case f.typ == reflect.TypeFor[Secret]():
		return hidden
	case f.enum != nil || f.file || f.public || f.typ.Kind() != reflect.String:
		return text
	case f.format != "" && formats[f.format].tell != nil:
		return formats[f.format].tell(text)
	}
	return hidden
}

// mayHide reports whether a part of a value may be hidden.
func (f field) mayHide() bool {
	const text = "http://a/b?c"
	probe := f
	probe.hasDefault = false
	return probe.told(text) != text
}

// holdsSecrets reports whether a part of a value of the type may be hidden.
func (f field) holdsSecrets() bool {
	switch t := f.typ; {
	case f.nested:
		return true // conditions on headers are among them
	case isScalar(t):
		return f.mayHide()
	case t.Kind() == reflect.Struct:
		return slices.ContainsFunc(fieldsOf(t), field.holdsSecrets)
	}
	return f.element().holdsSecrets()
}

// isGroup reports whether a value has keys of its own, each with its own tags.
func (f field) isGroup() bool {
	switch t := f.typ; {
	case isScalar(t):
		return false
	case t.Kind() == reflect.Struct:
		return true
	}
	return f.element().isGroup()
}

// element returns the tags for the entries of a list, a map or a pointer.
func (f field) element() field {
	e := f
	e.typ = f.typ.Elem()
	switch {
	case f.typ == reflect.TypeFor[Headers](), f.typ == reflect.TypeFor[Values]():
		e.format = "headervalue"
	case f.typ == reflect.TypeFor[Expressions]():
		e.format = "regexp"
	case f.typ.Kind() == reflect.Map:
		e.format = "" // the format is that of the keys
	}
	e.hasDefault = false
	return e
}

func whole(s string) string { return s }

// origin returns the scheme and the host of a URL. The rest is often a credential: the
// path of a webhook, the query with a key.
func origin(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return hidden
	}
	text := u.Scheme + "://" + u.Host
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
		text += "/" + hidden
	}
	return text
}

// listTold returns a URL without its query.
func listTold(s string) string {
	if _, err := endpointURL(s); err != nil {
		return hidden
	}
	return withoutQuery(s)
}

// serviceTold returns the URL of a service without its query.
func serviceTold(s string) string {
	if _, err := serviceURL(s); err != nil {
		return hidden
	}
	return withoutQuery(s)
}

// withoutQuery returns a path, or a URL without user and password. It also accepts texts
// that are no URL.
func withoutQuery(s string) string {
	scheme, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		scheme, rest = "", s
	} else {
		scheme += "://"
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 && !strings.Contains(rest[i:], "@") {
		rest = rest[:i+1] + hidden
	} else if i >= 0 {
		rest = hidden // a password may have any character
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 && !strings.HasPrefix(s, "/") {
		rest = "***" + rest[at:]
	}
	return scheme + rest
}

// headerValueTold hides the required value of a header, but not that the header is
// required.
func headerValueTold(s string) string {
	if anyValue(s) {
		return s
	}
	return hidden
}
