package proxy

import (
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

// vouch adds fields about the client.
func (x *exchange) vouch(fields ...identityField) {
	if len(fields) > 0 {
		e := x.more()
		e.asker = append(e.asker, fields...)
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
