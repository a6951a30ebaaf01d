package proxy

import (
	"iter"
	"regexp"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// Source is the part of a request that a value comes from.
type Source int

const (
	FromHeader Source = iota
	FromQuery         // a parameter, decoded (WHATWG URL, section 5.1)
	FromCookie
)

// Pattern is a condition on the values of a header, parameter or cookie. One value that
// meets Prefix and Regexp is enough. A request without a value does not match, unless
// Absent is set.
type Pattern struct {
	Of     Source
	Name   string
	Prefix string         // the beginning of the value
	Regexp *regexp.Regexp // matches a part of the value; nil = any
	Absent bool           // instead of Prefix and Regexp: there must be no value
}

// values yields the request's values with a name.
func (s Source) values(r *Request, name string) iter.Seq[string] {
	switch s {
	case FromQuery:
		return message.QueryValues(r.URL.RawQuery, name)
	case FromCookie:
		return r.CookieValues(name)
	}
	return r.ValuesOf(name)
}

// matchesValues reports whether the conditions on parameters, cookies and patterns match.
func (m *Match) matchesValues(r *Request) bool {
	for name, want := range m.Query {
		if !oneIs(FromQuery.values(r, name), want) {
			return false
		}
	}
	for name, want := range m.Cookies {
		if !oneIs(FromCookie.values(r, name), want) {
			return false
		}
	}
	for _, p := range m.Patterns {
		if !p.matches(r) {
			return false
		}
	}
	return true
}

func (p *Pattern) matches(r *Request) bool {
	for v := range p.Of.values(r, p.Name) {
		if p.Absent {
			return false
		}
		if strings.HasPrefix(v, p.Prefix) && (p.Regexp == nil || p.Regexp.MatchString(v)) {
			return true
		}
	}
	return p.Absent
}

// oneIs reports whether one of the values is the wanted one. "" and "*" stand for any
// value.
func oneIs(values iter.Seq[string], want string) bool {
	for v := range values {
		if want == "" || want == "*" || v == want {
			return true
		}
	}
	return false
}
