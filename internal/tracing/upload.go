//go:build !minimal

package tracing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// How an upload is repeated within its timeout.
const (
	maxRetries   = 3
	minRetryWait = time.Second
	maxRetryWait = 5 * time.Second
	maxAnswer    = 64 << 10
	protobufType = "application/x-protobuf"
)

// uploader sends spans by OTLP over HTTP. It is an otlptrace.Client. OpenTelemetry's own
// imports gRPC, its gateway and their templates: 2 MB of binary for one POST.
//
// Source: OpenTelemetry Protocol Specification 1.9, OTLP/HTTP.
type uploader struct {
	endpoint string
	headers  map[string]string
	http     *http.Client
}

func newUploader(o Options) *uploader {
	return &uploader{
		endpoint: o.Endpoint, headers: o.Headers,
		http: &http.Client{
			Transport: http.DefaultTransport.(*http.Transport).Clone(), Timeout: sendTimeout,
			// The headers are for the endpoint, and not for where it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (u *uploader) Start(context.Context) error { return nil }
func (u *uploader) Stop(context.Context) error  { return nil }

// UploadTraces sends spans. Its errors have neither the endpoint's address nor the body
// of an answer: either may be, or repeat, a secret.
func (u *uploader) UploadTraces(ctx context.Context, spans []*otlp.ResourceSpans) error {
	// TracesData is encoded as an ExportTraceServiceRequest is.
	body, err := proto.Marshal(&otlp.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, u.endpoint, body)
	if err != nil {
		return withoutURL(err)
	}
	req.Header.Set("User-Agent", "goodgate")
	for name, value := range u.headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", protobufType)
	status := 0 // of the last answer, which a timeout before the next attempt would hide
	resp, err := u.client(&status).Do(req)
	if err == nil {
		defer resp.Body.Close()
		status = resp.StatusCode
	}
	switch {
	case status >= 300:
		return fmt.Errorf("answered %d", status)
	case err != nil:
		return withoutURL(err)
	}
	return taken(resp)
}

// client returns the engine of one upload, which keeps the status of each answer that is
// to be repeated.
func (u *uploader) client(status *int) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: u.http,
		RetryMax:   maxRetries, RetryWaitMin: minRetryWait, RetryWaitMax: maxRetryWait,
		Backoff:      retryablehttp.DefaultBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
		CheckRetry: func(_ context.Context, resp *http.Response, err error) (bool, error) {
			if err != nil {
				return false, err
			}
			*status = resp.StatusCode
			return again(resp.StatusCode), nil
		},
	}
}

// again reports whether OTLP lets a client send the same spans once more.
func again(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// taken says whether the endpoint that answered with 2xx took all spans.
func taken(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return withoutURL(err)
	}
	if resp.Header.Get("Content-Type") != protobufType {
		return nil
	}
	if n := rejected(body); n != 0 {
		return fmt.Errorf("rejected %d spans", n)
	}
	return nil
}

// rejected returns partial_success.rejected_spans of an ExportTraceServiceResponse.
// Its Go type is in the package that imports gRPC.
func rejected(body []byte) (n uint64) {
	partial, _ := protowire.ConsumeBytes(field(body, 1, protowire.BytesType))
	n, _ = protowire.ConsumeVarint(field(partial, 1, protowire.VarintType))
	return n
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
