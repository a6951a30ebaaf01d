//go:build !minimal

package logging

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goodgate/goodgate/internal/otlp"
	"github.com/goodgate/goodgate/proxy"
)

// Limits and settings for sending records by OTLP.
const (
	otlpFlush    = time.Second // like OpenTelemetry's own batches
	otlpBatch    = 512 << 10   // approximate size of a message, in bytes
	otlpPatience = time.Minute
	otlpPort     = "4318" // without TLS
	otlpPath     = "/v1/logs"
	traceparent  = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" // as an example of its length
	// logRecords is the number of log_records in ScopeLogs.
	logRecords = 2
)

// conventions returns the names in OpenTelemetry's semantic conventions for the fields
// of a request's record. The trace has a separate place.
func conventions() map[string]string {
	return map[string]string{
		"id": "goodgate.request_id", "client": "client.address", "method": "http.request.method", "host": "server.address", "path": "url.path",
		"status": "http.response.status_code", "received": "http.request.body.size", "sent": "http.response.body.size", "route": "http.route",
		"reason": "error.type", "trace": "",
	}
}

// otlpForm returns the form of an output by OTLP: each record is a field log_records of
// ScopeLogs.
func (o Options) otlpForm() (form, error) {
	const prefix = "goodgate."
	return o.structuredForm(appendLogRecord, prefix, namesWith(prefix, conventions()))
}

// appendLogRecord appends a LogRecord as a field of ScopeLogs.
func appendLogRecord(b []byte, e entry) []byte {
	b, start := otlp.Open(b, logRecords)
	b = otlp.AppendTime(b, 1, e.at)
	b = otlp.AppendInt(b, 2, int64(min(max(e.level+9, 1), 24))) // slog's levels have the same distances as SeverityNumbers
	b = otlp.AppendString(b, 3, e.level.String())
	b, body := otlp.Open(b, 5)
	b, text := otlp.Open(b, 1)
	if e.request == nil {
		b = append(b, otlp.Text(e.message)...)
	} else { // the request line and the result
		b = append(append(b, otlp.Text(e.request.Method)...), ' ')
		b = append(append(b, otlp.Text(e.request.Path)...), ' ')
		b = appendStatus(b, e.request)
	}
	b = otlp.Close(otlp.Close(b, text), body)
	for _, a := range e.attrs {
		b = otlp.AppendAttr(b, 6, a.Key, a.Value)
	}
	if e.request != nil {
		b = appendPlace(b, e.request)
	}
	b = otlp.AppendTime(b, 11, e.at)
	return otlp.Close(b, start)
}

// appendPlace appends a request's place in a trace: its own span, else its sender's.
func appendPlace(b []byte, r *proxy.Record) []byte {
	flags, trace, span := uint32(0), r.Trace, ""
	if id, recorded := r.Span(); id != (proxy.SpanID{}) {
		span = hex.EncodeToString(id[:])
		if recorded {
			flags = 1
		}
	} else if trace == "" && r.Request != nil {
		// W3C Trace Context: version, trace, span, flags
		if p := r.Request.Field("Traceparent"); len(p) == len(traceparent) && strings.HasPrefix(p, "00-") {
			trace, span = p[3:35], p[36:52]
			flags = uint32(p[54] & 1)
		}
	}
	traceID := identifier(trace, 16)
	if traceID == nil {
		return b
	}
	b = protowire.AppendTag(b, 8, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, flags)
	b = otlp.AppendBytes(b, 9, traceID)
	if spanID := identifier(span, 8); spanID != nil {
		b = otlp.AppendBytes(b, 10, spanID)
	}
	return b
}

// identifier decodes the ID of a trace or a span. It returns nil for an ID of zeros.
func identifier(digits string, size int) []byte {
	id, err := hex.DecodeString(digits)
	if err != nil || len(id) != size || strings.Trim(digits, "0") == "" {
		return nil
	}
	return id
}

// otlpOutput sends records by OTLP. While the endpoint is away, records wait in the
// Writer's buffer.
type otlpOutput struct {
	client   *otlp.Client
	envelope otlp.Envelope
	trouble  edge
	lost     func(n int64) // counts records that the endpoint has rejected

	ctx  context.Context // cancelled by Interrupt
	stop context.CancelFunc
}

// openOTLP returns the writer of an output by OTLP.
func openOTLP(o Options, tell teller) *Writer {
	out := &otlpOutput{
		client: otlp.NewClient(otlp.Options{
			Endpoint: otlpEndpoint(o.Output), Headers: o.OTLP.Headers, TLS: o.TLS, Gzip: o.OTLP.Gzip, Patience: otlpPatience,
		}),
		envelope: otlp.NewEnvelope(otlp.Source{Service: o.OTLP.Service, Version: o.Version, Instance: o.OTLP.Instance}),
		trouble:  edge{report: tell.trouble},
	}
	out.ctx, out.stop = context.WithCancel(context.Background())
	w := NewWriter(WriterOptions{Out: out, Buffer: o.Buffer, FlushAfter: otlpFlush, Dropped: tell.dropped, Count: countRecords})
	out.lost = w.lose
	return w
}

// otlpEndpoint returns the URL of an output such as otlp+http://collector.
func otlpEndpoint(output string) string {
	u, err := url.Parse(strings.TrimPrefix(output, otlpPrefix))
	if err != nil {
		return output
	}
	if u.Scheme == "http" && u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), otlpPort)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = otlpPath
	}
	return u.String()
}

// Write sends complete records. It returns an error only after Interrupt.
func (o *otlpOutput) Write(p []byte) (sent int, err error) {
	for sent < len(p) {
		batch := firstRecords(p[sent:])
		err := o.client.Send(o.ctx, o.envelope.Wrap(batch), o.trouble.now)
		if err != nil && o.ctx.Err() != nil {
			return sent, err
		}
		if rejected, ok := errors.AsType[otlp.Rejected](err); ok {
			o.lost(min(rejected.Items, int64(countRecords(batch))))
		} else if err != nil {
			o.lost(int64(countRecords(batch)))
		}
		o.trouble.now(err)
		sent += len(batch)
	}
	return sent, nil
}

// fails reports whether the endpoint did not take the last message completely. Only the
// goroutine of Write may call it.
func (o *otlpOutput) fails() bool { return o.trouble.failing }

// Interrupt makes a waiting Write return.
func (o *otlpOutput) Interrupt() { o.stop() }

// Close closes the connections. No Write may be in progress.
func (o *otlpOutput) Close() error {
	o.stop()
	o.client.Close()
	return nil
}

// firstRecords returns the records of one message.
func firstRecords(b []byte) []byte {
	size := 0
	for size < len(b) {
		_, _, n := protowire.ConsumeField(b[size:])
		if n < 0 || size > 0 && size+n > otlpBatch {
			break
		}
		size += n
	}
	if size == 0 {
		return b // invalid, which the output's own records never are
	}
	return b[:size]
}

// countRecords returns the number of records.
func countRecords(b []byte) (n int) {
	for len(b) > 0 {
		_, _, size := protowire.ConsumeField(b)
		if size < 0 {
			return n + 1
		}
		b = b[size:]
		n++
	}
	return n
}
