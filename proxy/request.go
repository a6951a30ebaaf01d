package proxy

import "github.com/goodgate/goodgate/internal/message"

// Request is a client's request as routes, policies, limits and observers see it.
type Request = message.Request
