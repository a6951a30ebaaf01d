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

// This file ends loops: a request that goes from a route to an upstream and comes
// back to the same route would go round for ever, and take connections each time.
//
// Each request goes upstream with the mark of its route in Goodgate-Passed, beside
// those of other instances. Via (RFC 9110, section 7.6.3) would not do: all instances
// have the same name there unless the operator gives them one, it may be off, and a
// request may well pass an instance twice, by another route each time. Nobody can
// guess a mark, and who has learnt one, such as an application, gets 508 for requests
// of its own alone.

// errLoop says that the request has been here.
var errLoop = errors.New("the request has passed this route before (Goodgate-Passed): an upstream of the pool, or a proxy behind it, sends it back to goodgate")

// marking makes the marks of routes. Those of proxies that replace each other are
// the same.
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

// setPassed notes in what goes upstream that the request has passed its route.
func (x *exchange) setPassed(in *Request, h message.Editor) {
	if in.Has(header.GoodgatePassed) {
		h.Set("Goodgate-Passed", joined(in.Values(header.GoodgatePassed), x.route.mark, true))
		return
	}
	h.Add("Goodgate-Passed", x.route.mark) // which does not look at what is there
}
