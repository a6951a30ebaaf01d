package proxy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// This file ends loops. A request that goes from a route to an upstream and comes back to
// the same route would loop for ever, and use connections on each round.
//
// Each request to an upstream carries the mark of its route in Goodgate-Passed, beside
// the marks of other instances. Via (RFC 9110, section 7.6.3) is not enough. All
// instances have the same name there unless the operator sets one, Via may be off, and a
// request may legitimately pass an instance twice on different routes. Nobody can guess a
// mark. An application that learns a mark can only make its own requests fail, with 508.

// errLoop means that the request has passed this route before.
var errLoop = errors.New("the request has passed this route before (Goodgate-Passed): an upstream of the pool, or a proxy behind it, sends it back to goodgate")

// marking makes the marks of routes. Proxies that replace each other share it, so their
// marks are equal.
type marking [16]byte

func newMarking() (m marking) {
	rand.Read(m[:])
	return m
}

// of returns the mark of a route.
func (m marking) of(rt *Route, i int) string {
	name := rt.Name
	if name == "" {
		name = "#" + strconv.Itoa(i)
	}
	sum := sha256.Sum256(append(m[:], name...))
	return hex.EncodeToString(sum[:16])
}

// looped reports whether the request has passed its route before.
func (x *exchange) looped() bool {
	return x.request.Has(header.GoodgatePassed) && x.request.HasToken(header.GoodgatePassed, x.route.mark)
}

// setPassed adds the mark of the request's route to the header for the upstream.
func (x *exchange) setPassed(in *Request, h message.Editor) {
	if in.Has(header.GoodgatePassed) {
		h.Set("Goodgate-Passed", joined(in.Values(header.GoodgatePassed), x.route.mark, true))
		return
	}
	h.Add("Goodgate-Passed", x.route.mark) // Add does not search the fields
}
