package proxy

import (
	"maps"
	"slices"

	"github.com/goodgate/goodgate/internal/vars"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// HeaderEdits change a header: first Remove, then Set, then Add. Values may have
// variables. In requests the fields that they name reach upstreams in no other spelling:
// see spelling.go.
type HeaderEdits struct {
	Set, Add map[string]string
	Remove   []string
}

// texts are those of some values that have variables, by the values; nil = none has.
type texts map[string]*Text

// textsOf compiles values that stand in the same kind of place.
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

// texts are those of the values.
func (e *HeaderEdits) texts() texts {
	return textsOf(slices.AppendSeq(slices.Collect(maps.Values(e.Set)), maps.Values(e.Add)), inField)
}

// fields returns what the edits are about.
func (e *HeaderEdits) fields() (t fieldTable) {
	for _, name := range slices.Concat(e.Remove, slices.Collect(maps.Keys(e.Set)), slices.Collect(maps.Keys(e.Add))) {
		t.restrict(name)
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
}
