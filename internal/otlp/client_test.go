//go:build !minimal

package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// answers is an endpoint that answers with one after the other, and then with the last;
// nil is no answer.
type answers struct {
	list  []*http.Response
	calls []*http.Request
	sent  []string
	at    []time.Time
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
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(z); err != nil {
			return nil, err
		}
	}
	a.calls, a.sent, a.at = append(a.calls, r), append(a.sent, string(body)), append(a.at, time.Now())
	if one := a.list[min(len(a.calls), len(a.list))-1]; one != nil {
		return one, nil
	}
	return nil, errors.New("connection refused")
}

// client returns one whose messages a answers.
func (a *answers) client(o Options) *Client {
	c := NewClient(o)
	c.http.Transport = a
	return c
}

// partly returns an answer as OpenTelemetry's own types encode it.
func partly(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rejectedSpans(t *testing.T, n int64, message string) []byte {
	return partly(t, &traces.ExportTraceServiceResponse{PartialSuccess: &traces.ExportTracePartialSuccess{ErrorMessage: message, RejectedSpans: n}})
}

func TestSend(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answers []*http.Response
		calls   int
		err     string // empty = taken
	}{
		"taken":                     {[]*http.Response{answer(200, nil)}, 1, ""},
		"taken with an empty part":  {[]*http.Response{answer(200, rejectedSpans(t, 0, ""))}, 1, ""},
		"a warning":                 {[]*http.Response{answer(200, rejectedSpans(t, 0, "s3cr3t"))}, 1, ""},
		"spans are rejected":        {[]*http.Response{answer(200, rejectedSpans(t, 300, "s3cr3t"))}, 1, "rejected 300 items"},
		"log records are rejected":  {[]*http.Response{answer(200, partly(t, &logs.ExportLogsServiceResponse{PartialSuccess: &logs.ExportLogsPartialSuccess{RejectedLogRecords: 3}}))}, 1, "rejected 3 items"},
		"data points are rejected":  {[]*http.Response{answer(200, partly(t, &metrics.ExportMetricsServiceResponse{PartialSuccess: &metrics.ExportMetricsPartialSuccess{RejectedDataPoints: 1 << 40}}))}, 1, "rejected 1099511627776 items"},
		"an answer that is broken":  {[]*http.Response{answer(200, []byte{0x0a, 0xff})}, 1, ""},
		"an answer in words":        {[]*http.Response{answer(200, rejectedSpans(t, 1, ""), "Content-Type", "text/plain")}, 1, ""},
		"taken the second time":     {[]*http.Response{answer(503, nil), answer(200, nil)}, 2, ""},
		"taken once it is there":    {[]*http.Response{nil, nil, answer(200, nil)}, 3, ""},
		"taken after the time said": {[]*http.Response{answer(429, nil, "Retry-After", "7"), answer(202, nil)}, 2, ""},
		"asked to come too late":    {[]*http.Response{answer(503, []byte("s3cr3t"), "Retry-After", "60")}, 1, "answered 503"},
		"never taken":               {[]*http.Response{answer(504, nil)}, 4, "answered 504"},
		"never there":               {[]*http.Response{nil}, 4, "connection refused"},
		"not to be repeated":        {[]*http.Response{answer(500, []byte("s3cr3t"))}, 1, "answered 500"},
		"a redirect":                {[]*http.Response{answer(307, nil, "Location", "http://t.example/")}, 1, "answered 307"},
		"forbidden":                 {[]*http.Response{answer(403, nil)}, 1, "answered 403"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{list: tc.answers}
				c := a.client(Options{Endpoint: "https://user:s3cr3t@t.example/v1/traces?key=s3cr3t", Headers: map[string]string{"X-Key": "k"}})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				told := 0
				err := c.Send(ctx, []byte("message"), func(error) { told++ })
				if (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
					t.Errorf("got error %v, want %q", err, tc.err)
				}
				if len(a.calls) != tc.calls || told < tc.calls-1 {
					t.Fatalf("got %d calls, want %d; %d failures were reported", len(a.calls), tc.calls, told)
				}
				for i, r := range a.calls {
					if r.Method != "POST" || r.URL.Path != "/v1/traces" || r.URL.RawQuery != "key=s3cr3t" || r.Header.Get("X-Key") != "k" || r.Header.Get("Content-Type") != protobufType {
						t.Errorf("got %s %s with %v", r.Method, r.URL, r.Header)
					}
					if a.sent[i] != "message" {
						t.Errorf("call %d brought %s", i, a.sent[i])
					}
				}
			})
		})
	}
}

// TestPatience: a message is dropped after the patience; the next one does not come before
// the time that the endpoint has asked for.
func TestPatience(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answers     []*http.Response
		after, next time.Duration // of the last try of the first message, and of the second message
	}{
		"by goodgate": {[]*http.Response{nil}, 62 * time.Second, 67 * time.Second},
		"asked once":  {[]*http.Response{answer(503, nil, "Retry-After", "100"), nil}, 100 * time.Second, 102 * time.Second},
		"asked twice": {[]*http.Response{answer(429, nil, "Retry-After", "100")}, 100 * time.Second, 200 * time.Second},
		"too long":    {[]*http.Response{answer(503, nil, "Retry-After", "100000")}, maxAskedWait, 2 * maxAskedWait},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{list: tc.answers}
				c := a.client(Options{Endpoint: "http://t.example/", Patience: time.Minute})
				began := time.Now()
				if err := c.Send(t.Context(), nil, nil); err == nil {
					t.Error("no error")
				}
				if got := a.at[len(a.at)-1].Sub(began); got != tc.after {
					t.Errorf("last try after %v, want %v", got, tc.after)
				}
				tries := len(a.at)
				a.list = []*http.Response{answer(200, nil)}
				if err := c.Send(t.Context(), nil, nil); err != nil {
					t.Error(err)
				}
				if got := a.at[tries].Sub(began); got != tc.next {
					t.Errorf("next message after %v, want %v", got, tc.next)
				}
			})
		})
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("message", 1000)
	for _, text := range []string{"short", long} {
		a := &answers{list: []*http.Response{answer(503, nil, "Retry-After", "0"), answer(200, nil)}}
		if err := a.client(Options{Endpoint: "http://t.example/", Gzip: true}).Send(t.Context(), []byte(text), nil); err != nil {
			t.Fatal(err)
		}
		for i, r := range a.calls {
			if zipped := r.Header.Get("Content-Encoding") == "gzip"; a.sent[i] != text || zipped != (text == long) {
				t.Errorf("try %d has %d bytes, want %d; compressed: %t", i, len(a.sent[i]), len(text), zipped)
			}
			if text == long && r.ContentLength >= int64(len(text))/10 {
				t.Errorf("the body has %d bytes", r.ContentLength)
			}
		}
	}
}

// An address that is none is not named in the error: it may have a key.
func TestMalformed(t *testing.T) {
	t.Parallel()
	err := NewClient(Options{Endpoint: "http://127.0.0.1:1/%zz?s3cr3t"}).Send(t.Context(), nil, nil)
	if err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("got error %v", err)
	}
}

// An endpoint that cannot be reached is not named either.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	err := NewClient(Options{Endpoint: "http://127.0.0.1:0/s3cr3t"}).Send(ctx, nil, func(error) { cancel() })
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
}
