package proxy

import (
	"github.com/goodgate/goodgate/internal/wire/message"
)

// This file tells upstreams who asks, in fields that clients cannot send.

// identityField is a field that goes upstream by the word of whoever let the request in.
type identityField struct{ name, value string }

// identityFields are the fields that only access may set on the route, in any spelling.
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

// vouch adds fields about who asks.
func (x *exchange) vouch(fields ...identityField) {
	if len(fields) > 0 {
		e := x.more()
		e.asker = append(e.asker, fields...)
	}
}

// tellIdentity takes what a client claims to be off a request that goes upstream, and
// puts there what is known.
func (x *exchange) tellIdentity(h message.Editor) {
	x.route.guarded.drop(h)
	for _, f := range x.few().asker {
		h.Add(f.name, f.value)
	}
	x.tellClientCert(h)
}
