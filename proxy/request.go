package proxy

import (
	"net/http"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// Request is a client's request for routes, policies, limits and observers.
type Request = message.Request

// NewRequest returns the Request for a request from net/http.
func NewRequest(r *http.Request) *Request { return message.FromHTTP(r) }
