//go:build !minimal

package tracing

import (
	"context"
	"errors"
	"fmt"

	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/goodgate/goodgate/internal/otlp"
)

// uploader sends spans. It is an otlptrace.Client.
type uploader struct{ client *otlp.Client }

func newUploader(o Options) *uploader {
	return &uploader{otlp.NewClient(otlp.Options{Endpoint: o.Endpoint, Headers: o.Headers, TLS: o.TLS})}
}

func (u *uploader) Start(context.Context) error { return nil }
func (u *uploader) Stop(context.Context) error  { return nil }

// UploadTraces sends spans.
func (u *uploader) UploadTraces(ctx context.Context, list []*spans.ResourceSpans) error {
	// TracesData has the same encoding as ExportTraceServiceRequest.
	message, err := proto.Marshal(&spans.TracesData{ResourceSpans: list})
	if err != nil {
		return err
	}
	err = u.client.Send(ctx, message, nil)
	if r, ok := errors.AsType[otlp.Rejected](err); ok {
		return fmt.Errorf("rejected %d spans", r.Items)
	}
	return err
}
