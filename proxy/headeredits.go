package proxy

import (
	"maps"
	"slices"

	"github.com/goodgate/goodgate/internal/vars"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// HeaderEdits change a header: first Remove, then Set, then Add, then Replace. Values of
// Set and Add may contain variables. In requests, the proxy removes every other spelling of the named fields:
// with X-User in an edit, a client's x_user does not reach the upstream.
type HeaderEdits struct {
	Set, Add map[string]string
	Remove   []string
	Replace  []HeaderReplace
}

// texts maps values to their compiled form, if they contain variables; nil = none does.
type texts map[string]*Text

// textsOf compiles values for the same kind of place.
func textsOf(values []string, at where) (all texts) {
	for _, v := range values {
		t := compileNonPlain(v, at)
		if t == nil {
			continue
		}
		if all == nil {
			all = texts{}
		}
		all[v] = t
	}
	return all
}

// texts compiles the values of the edits.
func (e *HeaderEdits) texts() texts {
	return textsOf(slices.AppendSeq(slices.Collect(maps.Values(e.Set)), maps.Values(e.Add)), inField)
}

// fields returns the table of the edited fields.
func (e *HeaderEdits) fields() (t fieldTable) {
	for _, name := range slices.Concat(e.Remove, slices.Collect(maps.Keys(e.Set)), slices.Collect(maps.Keys(e.Add))) {
		t.restrict(name)
	}
	for _, r := range e.Replace {
		t.restrict(r.Name)
	}
	return t
}

func (e *HeaderEdits) apply(h message.Editor) {
	for _, name := range e.Remove {
		h.Del(name)
	}
	for name, v := range e.Set {
		h.Set(name, v)
	}
	for name, v := range e.Add {
		h.Add(name, v)
	}
	e.replace(h)
}

func (e *HeaderEdits) replace(h message.Editor) {
	for i := range e.Replace {
		e.Replace[i].apply(h)
	}
}

// editRequest applies the route's edits to the header for the upstream.
func (x *exchange) editRequest(h message.Editor) {
	x.edit(h, &x.route.RequestHeaders, x.route.requestValues, true)
}

// editResponse applies the route's edits to the header of an answer. early means an
// informational response: its attempts are not known yet.
func (x *exchange) editResponse(h message.Editor, early bool) {
	x.edit(h, &x.route.ResponseHeaders, x.route.responseValues, early)
	if !early {
		x.secureHeaders(h)
	}
}

// editError applies the route's edits to the header of an error that the proxy itself
// answers.
func (x *exchange) editError(h message.Editor) {
	if x.route != nil {
		x.edit(h, &x.route.ErrorHeaders, x.route.errorValues, false)
		x.secureHeaders(h)
	}
}

// edit applies edits. If the variables of a value are empty, Set removes the field, and
// Add adds none.
func (x *exchange) edit(h message.Editor, e *HeaderEdits, values texts, early bool) {
	if values == nil {
		e.apply(h)
		return
	}
	fill := func(text string) string {
		switch t := values[text]; {
		case t == nil:
			return text
		case early && t.since >= vars.Answer:
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
	e.replace(h)
}
