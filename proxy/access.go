package proxy

import (
	"fmt"
	"net/netip"

	"github.com/goodgate/goodgate/internal/access"
	"github.com/goodgate/goodgate/reason"
)

// Access sets who may use a route. The zero value admits everybody.
type Access struct {
	Networks *Networks    // admitted addresses; nil = all
	Basic    *BasicAuth   // admitted users; nil = no password needed
	Forward  *ForwardAuth // asks another service; nil = none
	// Any admits a client that passes one of the configured checks. Otherwise it must pass
	// all of them.
	Any bool
}

// Networks are admitted and refused addresses.
type Networks = access.Networks

// NewNetworks returns the rule that admits and refuses these networks. The narrowest
// network that contains an address decides. If no network contains it, the address is
// admitted only if allow is empty. The result is nil if both lists are empty. NewNetworks
// returns an error for a network that is in both lists.
func NewNetworks(allow, deny []netip.Prefix) (*Networks, error) {
	return access.NewNetworks(allow, deny)
}

// asks reports whether the route has checks beside the client's address.
func (rt *Route) asks() bool {
	return rt.Access.Basic != nil || rt.Access.Forward != nil || rt.CORS != nil || rt.CrossOrigin != nil
}

// fromHere refuses a client by its address, before the limits count its request.
func (x *exchange) fromHere() *Error {
	a := &x.route.Access
	if a.Networks == nil || a.Networks.Allows(x.record.Client) || a.Any && (a.Basic != nil || a.Forward != nil) {
		return nil
	}
	client := "a client without an address"
	if x.record.Client.IsValid() {
		client = x.record.Client.String()
	}
	return &Error{Reason: reason.AccessDenied, Err: fmt.Errorf("access: %s is not let in", client)}
}

// authorize checks everything about the request except its address. answered means that
// it has answered the request, for example a preflight.
func (x *exchange) authorize() (answered bool, failed *Error) {
	if x.route.CORS != nil {
		if method := x.preflightMethod(); method != "" {
			x.preflight(method)
			return true, nil
		}
	}
	if x.route.CrossOrigin != nil {
		if err := x.sameSite(); err != nil {
			return false, err
		}
	}
	a := &x.route.Access
	if a.Any && a.Networks != nil && a.Networks.Allows(x.record.Client) {
		return false, nil
	}
	if a.Basic != nil {
		failed = x.basic(a.Basic)
		if a.Any == (failed == nil) || a.Forward == nil {
			return false, failed
		}
	}
	if a.Forward != nil {
		return x.askForward(a.Forward)
	}
	return false, nil
}
