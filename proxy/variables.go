package proxy

import (
	"maps"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// variables are what {NAME} stands for in the values that a route gives to fields of
// requests. Any other text in braces stays as it is.
var variables = [...]struct {
	name string
	of   func(*exchange) string
}{
	{"{client_ip}", func(x *exchange) string {
		if !x.record.Client.IsValid() {
			return "" // on a unix socket
		}
		return x.record.Client.String()
	}},
	{"{host}", func(x *exchange) string { return x.request.Host }},
	{"{scheme}", func(x *exchange) string {
		if x.request.TLS != nil {
			return "https"
		}
		return "http"
	}},
	{"{method}", func(x *exchange) string { return x.request.Method }},
	{"{uri}", func(x *exchange) string { return x.request.URL.RequestURI() }},
	{"{request_id}", func(x *exchange) string { return x.record.ID }},
}

// hasVariables reports whether a value has a variable.
func (e *HeaderEdits) hasVariables() bool {
	for _, m := range []map[string]string{e.Set, e.Add} {
		for _, value := range m {
			for _, v := range variables {
				if strings.Contains(value, v.name) {
					return true
				}
			}
		}
	}
	return false
}

// editRequest applies the route's edits to the fields that go upstream.
func (x *exchange) editRequest(h message.Editor) {
	rt := x.route
	if !rt.variable {
		rt.RequestHeaders.apply(h)
		return
	}
	e := HeaderEdits{Set: x.filled(rt.RequestHeaders.Set), Add: x.filled(rt.RequestHeaders.Add), Remove: rt.RequestHeaders.Remove}
	e.apply(h)
}

// filled returns values with their variables replaced, once: what a client sends
// never becomes a variable.
func (x *exchange) filled(values map[string]string) map[string]string {
	values = maps.Clone(values)
	var pairs []string
	for _, v := range variables {
		pairs = append(pairs, v.name, v.of(x))
	}
	r := strings.NewReplacer(pairs...)
	for name, value := range values {
		values[name] = r.Replace(value)
	}
	return values
}
