package proxy

import (
	"net/http"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// Request is a client's request as routes, policies, limits and observers see it.
type Request = message.Request

// NewRequest returns a request that came by a server of the library.
func NewRequest(r *http.Request) *Request { return message.FromHTTP(r) }
