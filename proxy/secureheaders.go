package proxy

import (
	"net/http"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// SecureHeaders are response fields that restrict what browsers do. The route adds each
// of them to answers that do not have it, so the application's value has precedence. An
// empty value adds none.
type SecureHeaders struct {
	HSTS          string // Strict-Transport-Security, only over HTTPS
	ContentType   string // X-Content-Type-Options
	Frame         string // X-Frame-Options
	Referrer      string // Referrer-Policy
	ContentPolicy string // Content-Security-Policy
	Permissions   string // Permissions-Policy
	Opener        string // Cross-Origin-Opener-Policy
	Resource      string // Cross-Origin-Resource-Policy
}

// secureHeaders adds the missing fields.
func (x *exchange) secureHeaders(h message.Editor) {
	s := x.route.SecureHeaders
	if s == nil {
		return
	}
	if x.https() {
		fillIn(h, "Strict-Transport-Security", s.HSTS)
	}
	fillIn(h, "X-Content-Type-Options", s.ContentType)
	if !hasField(h, "Content-Security-Policy") { // frame-ancestors in it has precedence
		fillIn(h, "X-Frame-Options", s.Frame)
	}
	fillIn(h, "Referrer-Policy", s.Referrer)
	fillIn(h, "Content-Security-Policy", s.ContentPolicy)
	fillIn(h, "Permissions-Policy", s.Permissions)
	fillIn(h, "Cross-Origin-Opener-Policy", s.Opener)
	fillIn(h, "Cross-Origin-Resource-Policy", s.Resource)
}

func fillIn(h message.Editor, name, value string) {
	if value != "" && !hasField(h, name) {
		h.Add(name, value)
	}
}

// hasField reports whether there is a field with this canonical name.
func hasField(h message.Editor, name string) bool {
	switch h := h.(type) {
	case http.Header:
		return len(h[name]) > 0
	case *header.Head:
		for range h.ValuesOf(name) {
			return true
		}
	}
	return false
}
