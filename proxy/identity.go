package proxy

import (
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// This file tells upstreams the client's identity, in fields that clients cannot send.

// identityField is a field for the upstream with a fact that access control has verified.
type identityField struct{ name, value string }

// identityFields returns the fields that only access control may set on the route, in any
// spelling.
func (rt *Route) identityFields() (t fieldTable) {
	a := &rt.Access
	rt.ClientCert.fields(&t)
	if b := a.Basic; b != nil {
		if b.UserHeader != "" {
			t.refuse(b.UserHeader)
		}
		if b.Hide {
			t.refuse("Authorization")
		}
	}
	if f := a.Forward; f != nil {
		for _, name := range f.Copy {
			t.refuse(name)
		}
	}
	return t
}

// isCredential reports whether access control reads a field. It must read the client's own
// value before another one replaces this value.
func isCredential(name string) bool {
	return header.EqualName(name, header.Authorization.String()) || header.EqualName(name, header.Cookie.String())
}

// dropClaims removes the client's own identity fields from the request, except
// credentials. So no variable, key or service reads what a client says about itself.
func (x *exchange) dropClaims() {
	if t := &x.route.guarded; len(t.rules) > 0 {
		x.request.DropFields(func(name string) bool { return !t.passes(name, true) && !isCredential(name) })
	}
}

// vouch adds fields about the client, also to the request, for variables and keys.
func (x *exchange) vouch(fields ...identityField) {
	if len(fields) == 0 {
		return
	}
	e := x.more()
	e.asker = append(e.asker, fields...)
	for _, f := range fields {
		if isCredential(f.name) {
			x.request.DropFields(func(name string) bool { return header.EqualName(name, f.name) })
		}
	}
	for _, f := range fields {
		x.request.AddField(f.name, f.value)
	}
}

// tellIdentity removes the client's own identity fields from a request for an upstream,
// and adds the verified ones.
func (x *exchange) tellIdentity(h message.Editor) {
	x.route.guarded.drop(h)
	for _, f := range x.few().asker {
		h.Add(f.name, f.value)
	}
	x.tellClientCert(h)
}
