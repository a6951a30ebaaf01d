package proxy

import (
	"fmt"
	"net/netip"

	"github.com/goodgate/goodgate/internal/access"
	"github.com/goodgate/goodgate/reason"
)

// Access says who may come to a route. The zero value lets in everybody.
type Access struct {
	Networks *Networks    // which addresses; nil = all
	Basic    *BasicAuth   // which users; nil = anybody
	Forward  *ForwardAuth // whom another service lets in; nil = nobody is asked
	// Any lets in who passes one of those that are set, instead of all of them.
	Any bool
}

// Networks are addresses that are let in and kept out.
type Networks = access.Networks

// NewNetworks returns what lets in and keeps out the addresses of networks, of which the
// narrowest decides; an address in none is let in unless some are allowed. It is nil
// without networks.
func NewNetworks(allow, deny []netip.Prefix) (*Networks, error) {
	return access.NewNetworks(allow, deny)
}

// asks reports whether the route asks anything of who comes, beside the address.
func (rt *Route) asks() bool {
	return rt.Access.Basic != nil || rt.Access.Forward != nil || rt.CORS != nil || rt.CrossOrigin != nil
}

// fromHere refuses a client by its address, before its request counts for anything.
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

// authorize says whether the request is let in by what it brings. A request that is
// answered by this, such as a preflight, has answered set.
func (x *exchange) authorize() (answered bool, failed *Error) {
	if x.route.CORS != nil && x.cors() {
		return true, nil
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
