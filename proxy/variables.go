package proxy

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// Variables are what {NAME} stands for in the values of fields that a route sets,
// and in where it redirects to. Any other text in braces stays as it is. What a
// client sends never becomes a variable.
//
// None has a character that a field cannot have: values of fields have none, and the
// parts of a target are taken as they were sent.

// variables are those without a parameter.
var variables = map[string]func(*exchange) string{
	"client_ip": func(x *exchange) string {
		if !x.record.Client.IsValid() {
			return "" // on a unix socket
		}
		return x.record.Client.String()
	},
	"host":     func(x *exchange) string { return x.request.Host },
	"hostname": func(x *exchange) string { return hostname(x.request.Host) },
	"scheme": func(x *exchange) string {
		if x.request.TLS != nil {
			return "https"
		}
		return "http"
	},
	"method":     func(x *exchange) string { return x.request.Method },
	"uri":        func(x *exchange) string { return x.request.URL.RequestURI() },
	"path":       func(x *exchange) string { return onePath(x.request.URL.EscapedPath()) },
	"query":      func(x *exchange) string { return queryOf(x.request.URL) },
	"args":       func(x *exchange) string { return x.request.URL.RawQuery },
	"request_id": func(x *exchange) string { return x.record.ID },
	"upstream":   func(x *exchange) string { return x.record.Upstream },
	"upstreams":  func(x *exchange) string { return x.record.tried() },
}

// late are the variables that have their value with the answer only.
func late(name string) bool { return name == "upstream" || name == "upstreams" }

// parametric are those with a parameter: {header:NAME}.
var parametric = map[string]func(x *exchange, name string) string{
	"header": func(x *exchange, name string) string { return x.request.Field(name) },
	"query":  func(x *exchange, name string) string { return message.RawQueryValue(x.request.URL.RawQuery, name) },
	"cookie": func(x *exchange, name string) string { v, _ := x.request.Cookie(name); return v },
}

var inBraces = regexp.MustCompile(`\{[^{}]*\}`)

// template is a value with variables, in parts.
type template struct {
	parts []func(*exchange) string
	late  bool // it has a variable that is not known before the answer
}

// newTemplate returns nil for a text without variables.
func newTemplate(text string) *template {
	t, last, found := &template{}, 0, false
	for _, at := range inBraces.FindAllStringIndex(text, -1) {
		name := text[at[0]+1 : at[1]-1]
		of := variableOf(name)
		if of == nil {
			continue
		}
		t.plain(text[last:at[0]])
		t.parts = append(t.parts, of)
		t.late, found, last = t.late || late(name), true, at[1]
	}
	if !found {
		return nil
	}
	t.plain(text[last:])
	return t
}

func (t *template) plain(text string) {
	if text != "" {
		t.parts = append(t.parts, func(*exchange) string { return text })
	}
}

// variableOf returns what a name in braces stands for, nil if it is none.
func variableOf(name string) func(*exchange) string {
	if of, ok := variables[name]; ok {
		return of
	}
	kind, parameter, _ := strings.Cut(name, ":")
	if of, ok := parametric[kind]; ok && parameter != "" {
		return func(x *exchange) string { return of(x, parameter) }
	}
	if len(name) == 1 && name[0] >= '1' && name[0] <= '9' {
		n, _ := strconv.Atoi(name)
		return func(x *exchange) string { return x.captured(n) }
	}
	return nil
}

func (t *template) fill(x *exchange) string {
	var b strings.Builder
	for _, of := range t.parts {
		b.WriteString(of(x))
	}
	return b.String()
}

// captured is what a group of the route's path_regexp matched, encoded as in a path, or
// without one of its host_regexp.
func (x *exchange) captured(group int) string {
	m := &x.route.Match
	re, text := m.PathRegexp, x.request.URL.Path
	if re == nil {
		re, text = m.HostRegexp, hostname(x.request.Host)
	}
	if re == nil {
		return ""
	}
	found := re.FindStringSubmatch(text)
	if group >= len(found) {
		return ""
	}
	return (&url.URL{Path: found[group]}).EscapedPath()
}

// queryOf is a query with its question mark, empty without one.
func queryOf(u *url.URL) string {
	if u.RawQuery == "" {
		return ""
	}
	return "?" + u.RawQuery
}

// tried are the upstreams of all attempts, in order.
func (r *Record) tried() string {
	var b strings.Builder
	for i := range r.Attempts {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(r.Attempts[i].Upstream)
	}
	return b.String()
}

// templates returns those of the values that have variables, by their text, nil if
// none has.
func (e *HeaderEdits) templates() (all map[string]*template) {
	for _, values := range []map[string]string{e.Set, e.Add} {
		for _, value := range values {
			t := newTemplate(value)
			if t == nil {
				continue
			}
			if all == nil {
				all = map[string]*template{}
			}
			all[value] = t
		}
	}
	return all
}

// editRequest applies the route's edits to the fields that go upstream.
func (x *exchange) editRequest(h message.Editor) {
	x.edit(h, &x.route.RequestHeaders, x.route.requestValues, true)
}

// editResponse applies the route's edits to the fields of an answer. Of one that is
// early, before the final one, the attempts are not known.
func (x *exchange) editResponse(h message.Editor, early bool) {
	x.edit(h, &x.route.ResponseHeaders, x.route.responseValues, early)
	if !early {
		x.secureHeaders(h)
	}
}

// editError applies the route's edits to the fields of an error that the proxy answers
// itself.
func (x *exchange) editError(h message.Editor) {
	if x.route != nil {
		x.edit(h, &x.route.ErrorHeaders, x.route.errorValues, false)
		x.secureHeaders(h)
	}
}

// edit applies edits. A value of variables that comes out empty takes the field off,
// or adds none.
func (x *exchange) edit(h message.Editor, e *HeaderEdits, values map[string]*template, early bool) {
	if values == nil {
		e.apply(h)
		return
	}
	fill := func(text string) string {
		switch t := values[text]; {
		case t == nil:
			return text
		case early && t.late:
			return ""
		default:
			return t.fill(x)
		}
	}
	for _, name := range e.Remove {
		h.Del(name)
	}
	for name, text := range e.Set {
		if v := fill(text); v != "" || text == "" {
			h.Set(name, v)
		} else {
			h.Del(name)
		}
	}
	for name, text := range e.Add {
		if v := fill(text); v != "" || text == "" {
			h.Add(name, v)
		}
	}
}

// redirect answers with another address.
func (x *exchange) redirect(d *Redirect) {
	to := d.To
	if x.route.target != nil {
		to = onePath(x.route.target.fill(x))
	}
	status := d.Status
	if status == 0 {
		status = http.StatusPermanentRedirect
	}
	x.writer.Header().Set("Location", to)
	x.writer.WriteHeader(status)
}
