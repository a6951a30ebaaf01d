package http1

import (
	"context"
	"io"
	"net/url"

	"github.com/goodgate/goodgate/internal/header"
	"github.com/goodgate/goodgate/internal/message"
)

type Request struct {
	Method, Target, Host string
	Head                 *header.Head
	Extra                []header.Field
	Body                 io.ReadCloser
	ContentLength        int64
	Close                bool
}

func (t *Transport) Send(ctx context.Context, r *Request, x *Exchange) (*message.Response, error) {
	panic("stub")
}

func Target(u *url.URL) string { return requestTarget(u) }
