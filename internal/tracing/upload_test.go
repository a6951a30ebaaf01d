//go:build !minimal

package tracing

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// answers is an endpoint that answers with one after the other, and then with the last.
type answers struct {
	list  []*http.Response
	calls []*http.Request
	sent  []*collector.ExportTraceServiceRequest
}

func answer(status int, body []byte, header ...string) *http.Response {
	h := http.Header{"Content-Type": {protobufType}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewReader(body))}
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	call := &collector.ExportTraceServiceRequest{}
	if err := proto.Unmarshal(body, call); err != nil {
		return nil, err
	}
	a.calls, a.sent = append(a.calls, r), append(a.sent, call)
	return a.list[min(len(a.calls), len(a.list))-1], nil
}

// partly returns an answer as OpenTelemetry's own type encodes it.
func partly(t *testing.T, rejected int64, message string) []byte {
	t.Helper()
	b, err := proto.Marshal(&collector.ExportTraceServiceResponse{
		PartialSuccess: &collector.ExportTracePartialSuccess{ErrorMessage: message, RejectedSpans: rejected},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestUpload(t *testing.T) {
	for name, tc := range map[string]struct {
		answers []*http.Response
		calls   int
		err     string // empty = taken
	}{
		"taken":                     {[]*http.Response{answer(200, nil)}, 1, ""},
		"taken with an empty part":  {[]*http.Response{answer(200, partly(t, 0, ""))}, 1, ""},
		"a warning":                 {[]*http.Response{answer(200, partly(t, 0, "s3cr3t"))}, 1, ""},
		"a part is rejected":        {[]*http.Response{answer(200, partly(t, 300, "s3cr3t"))}, 1, "rejected 300 spans"},
		"an answer that is broken":  {[]*http.Response{answer(200, []byte{0x0a, 0xff})}, 1, ""},
		"an answer in words":        {[]*http.Response{answer(200, partly(t, 1, ""), "Content-Type", "text/plain")}, 1, ""},
		"taken the second time":     {[]*http.Response{answer(503, nil), answer(200, nil)}, 2, ""},
		"taken after the time said": {[]*http.Response{answer(429, nil, "Retry-After", "7"), answer(202, nil)}, 2, ""},
		"asked to come too late":    {[]*http.Response{answer(503, []byte("s3cr3t"), "Retry-After", "60")}, 1, "answered 503"},
		"never taken":               {[]*http.Response{answer(504, nil)}, 4, "answered 504"},
		"not to be repeated":        {[]*http.Response{answer(500, []byte("s3cr3t"))}, 1, "answered 500"},
		"forbidden":                 {[]*http.Response{answer(403, nil)}, 1, "answered 403"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{list: tc.answers}
				u := newUploader(Options{Endpoint: "https://user:s3cr3t@t.example/v1/traces?key=s3cr3t", Headers: map[string]string{"X-Key": "k"}})
				u.http.Transport = a
				ctx, cancel := context.WithTimeout(t.Context(), sendTimeout)
				defer cancel()
				err := u.UploadTraces(ctx, []*otlp.ResourceSpans{{SchemaUrl: "schema"}})
				if (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
					t.Errorf("got error %v, want %q", err, tc.err)
				}
				if len(a.calls) != tc.calls {
					t.Fatalf("got %d calls, want %d", len(a.calls), tc.calls)
				}
				for i, r := range a.calls {
					if r.Method != "POST" || r.URL.Path != "/v1/traces" || r.URL.RawQuery != "key=s3cr3t" || r.Header.Get("X-Key") != "k" || r.Header.Get("Content-Type") != protobufType {
						t.Errorf("got %s %s with %v", r.Method, r.URL, r.Header)
					}
					if s := a.sent[i].ResourceSpans; len(s) != 1 || s[0].SchemaUrl != "schema" {
						t.Errorf("call %d brought %v", i, s)
					}
				}
			})
		})
	}
}

// An endpoint that cannot be reached is not named in the error: its address may have a key.
func TestUploadUnreachable(t *testing.T) {
	for _, endpoint := range []string{"http://127.0.0.1:0/s3cr3t", "http://127.0.0.1:1/%zz?s3cr3t"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := newUploader(Options{Endpoint: endpoint}).UploadTraces(ctx, nil)
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: got error %v", endpoint, err)
		}
	}
}
