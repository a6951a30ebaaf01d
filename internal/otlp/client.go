//go:build !minimal

package otlp

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"google.golang.org/protobuf/encoding/protowire"
)

// How a message is sent again.
const (
	tryTimeout   = 10 * time.Second
	minRetryWait = time.Second
	maxRetryWait = 5 * time.Second
	maxAskedWait = 5 * time.Minute // by Retry-After
	maxAnswer    = 64 << 10
	protobufType = "application/x-protobuf"
	// minGzip is the size in bytes below which compression does not pay.
	minGzip = 1 << 10
)

// Options describe an endpoint.
type Options struct {
	Endpoint string            // URL, with its path
	Headers  map[string]string // for the endpoint, such as a key
	TLS      *tls.Config       // nil = Go's defaults
	Gzip     bool              // compress bodies
	// Patience bounds the time from the first try of a message to the last, unless the
	// endpoint asks for a longer wait; 0 = the context alone bounds it.
	Patience time.Duration
}

// Client sends messages to one endpoint. It is safe for concurrent use.
type Client struct {
	opts Options
	http *http.Client

	mu    sync.Mutex // protects until
	until time.Time  // the endpoint has asked for a rest until then
}

// Rejected is the error of a message that the endpoint has accepted only in part. The
// rest cannot be sent again.
type Rejected struct{ Items int64 }

func (r Rejected) Error() string { return fmt.Sprintf("rejected %d items", r.Items) }

// Status is the error of an answer that is not 2xx.
type Status int

func (s Status) Error() string { return fmt.Sprintf("answered %d", int(s)) }

// NewClient returns a client, which opens its first connection with the first message.
// OpenTelemetry's own exporters import gRPC, its gateway and their templates: 2 MB of
// binary for one POST.
func NewClient(o Options) *Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if o.TLS != nil {
		t.TLSClientConfig = o.TLS.Clone()
	}
	return &Client{opts: o, http: &http.Client{
		Transport: t, Timeout: tryTimeout,
		// The headers are for the endpoint, and not for where it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes idle connections. No Send may be in progress.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Send sends a message. If the endpoint cannot be reached or is too busy, it tries again
// until ctx ends or the patience is over. failed gets the error of each try that another
// try follows; it may be nil. Errors have neither the endpoint's address nor the text of
// an answer: either may be, or repeat, a secret.
func (c *Client) Send(ctx context.Context, message []byte, failed func(error)) error {
	req, err := c.request(ctx, message)
	if err != nil {
		return withoutURL(err)
	}
	began := time.Now()
	for try := 0; ; try++ {
		if !c.rested(ctx) {
			return cmp.Or(err, ctx.Err())
		}
		resp, next := c.post(req)
		if ctx.Err() != nil && err != nil && resp == nil {
			return err // it has more information than the end of the context
		}
		if err = next; err == nil || !again(resp) || resp == nil && ctx.Err() != nil {
			return err
		}
		c.rest(min(retryablehttp.DefaultBackoff(minRetryWait, maxRetryWait, try, resp), maxAskedWait))
		if c.opts.Patience > 0 && time.Since(began) >= c.opts.Patience {
			return err
		}
		if failed != nil {
			failed(err)
		}
	}
}

// request returns the request that brings a message.
func (c *Client) request(ctx context.Context, message []byte) (*http.Request, error) {
	body, zipped := c.body(message)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.opts.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "goodgate")
	for name, value := range c.opts.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", protobufType)
	if zipped {
		req.Header.Set("Content-Encoding", "gzip")
	}
	return req, nil
}

// body returns the message as it is sent, and whether it is compressed.
func (c *Client) body(message []byte) (body []byte, zipped bool) {
	if !c.opts.Gzip || len(message) < minGzip {
		return message, false
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err == nil {
		_, err = z.Write(message)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return message, false
	}
	return b.Bytes(), true
}

// rest makes the client send nothing for a while.
func (c *Client) rest(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Now().Add(d)
}

// rested waits for the end of the rest. It returns false when ctx ends before.
func (c *Client) rested(ctx context.Context) bool {
	c.mu.Lock()
	d := time.Until(c.until)
	c.mu.Unlock()
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// post makes one try. The answer, whose body is closed, is nil without one.
func (c *Client) post(req *http.Request) (*http.Response, error) {
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	one := req.Clone(req.Context())
	one.Body = body
	resp, err := c.http.Do(one)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return resp, Status(resp.StatusCode)
	}
	return resp, taken(resp)
}

// again reports whether OTLP lets a client send the same message once more; nil is no
// answer.
func again(resp *http.Response) bool {
	if resp == nil {
		return true
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// taken returns an error if the endpoint that answered with 2xx has not taken everything.
func taken(resp *http.Response) error {
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), protobufType) {
		return nil // it has answered 2xx
	}
	if n := rejected(answer); n > 0 {
		return Rejected{n}
	}
	return nil
}

// rejected returns the number of rejected spans, log records or data points, which have
// the same place in the three answers (partial_success, its first field).
func rejected(answer []byte) int64 {
	partial, _ := protowire.ConsumeBytes(field(answer, 1, protowire.BytesType))
	n, _ := protowire.ConsumeVarint(field(partial, 1, protowire.VarintType))
	return int64(n)
}

// field returns what begins with the value of a message's field, empty for none.
func field(message []byte, number protowire.Number, wire protowire.Type) []byte {
	for len(message) > 0 {
		num, typ, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return nil
		}
		message = message[tag:]
		if num == number && typ == wire {
			return message
		}
		size := protowire.ConsumeFieldValue(num, typ, message)
		if size < 0 {
			return nil
		}
		message = message[size:]
	}
	return nil
}

// withoutURL returns an error of the http package without the address.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
