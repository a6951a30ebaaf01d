package proxy

import (
	"net/http"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// drainHeader is how an application that is about to end says so with any of
// its answers: "Goodgate-Drain: 30s". Its upstream gets no new requests for
// that long. The header does not reach the client.
const drainHeader = "Goodgate-Drain"

func heedDrain(h http.Header, u *balancer.Upstream) {
	values, ok := h[drainHeader]
	if !ok {
		return
	}
	delete(h, drainHeader)
	if d, err := time.ParseDuration(values[0]); err == nil {
		u.Rest(d)
	}
}
