package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// ResponseFields are the response fields that records keep for observers. Upper and lower
// case do not matter in the names. The zero value keeps none, at no cost.
type ResponseFields struct {
	Sent     []string // of the client's response, with the route's edits
	Upstream []string // of the upstream's answer, before the route's edits
}

// recordFields are values that few records have. They do not change after the request has
// ended.
type recordFields struct {
	span           SpanID   // the request's in its trace
	recorded       bool     // the span is
	sent, upstream []string // in the order of Options.RecordFields
	of             *ResponseFields
}

// SentField returns a field of the client's response, with several values joined by
// commas. It is empty without such a field, or if [Options.RecordFields] does not list
// it.
func (r *Record) SentField(name string) string {
	if r.fields == nil {
		return ""
	}
	return fieldValue(name, r.fields.of.Sent, r.fields.sent)
}

// UpstreamField returns a field of the upstream's answer, in the form of SentField. The
// answer may be an older, kept one.
func (r *Record) UpstreamField(name string) string {
	if r.fields == nil {
		return ""
	}
	return fieldValue(name, r.fields.of.Upstream, r.fields.upstream)
}

func fieldValue(name string, names, values []string) string {
	i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	if i < 0 || i >= len(values) {
		return ""
	}
	return values[i]
}

// keepUpstream keeps fields of an answer before it is edited.
func (x *exchange) keepUpstream(res *message.Response) {
	want := &x.proxy.opts.RecordFields
	if len(want.Upstream) == 0 {
		return
	}
	kept := x.recordFields()
	kept.upstream = make([]string, len(want.Upstream))
	for i, name := range want.Upstream {
		kept.upstream[i] = res.Field(name)
	}
}

// keepSent keeps fields of the client's response.
func (x *exchange) keepSent(h message.Editor) {
	want := &x.proxy.opts.RecordFields
	if len(want.Sent) == 0 {
		return
	}
	kept := x.recordFields()
	kept.sent = make([]string, len(want.Sent))
	for i, name := range want.Sent {
		switch h := h.(type) {
		case *header.Head:
			kept.sent[i] = strings.Join(slices.Collect(h.ValuesOf(name)), ", ")
		case http.Header:
			kept.sent[i] = strings.Join(h.Values(name), ", ")
		}
	}
}

func (x *exchange) recordFields() *recordFields {
	if x.record.fields == nil {
		x.record.fields = &recordFields{of: &x.proxy.opts.RecordFields}
	}
	return x.record.fields
}

// LogFields returns the names of the fields that a request's log line may have, besides
// time, level and msg.
func LogFields() []string {
	return []string{"id", "client", "method", "host", "path", "status", "ms", "received", "sent", "route", "pool", "upstream", "cache", "fallback",
		"trace", "held_ms", "paused_ms", "queued_ms", "would_limit", "fault", "reason", "error", "absorbed_by", "hidden", "saved_by", "attempts", "attempts_omitted"}
}
