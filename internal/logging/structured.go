package logging

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// entry is a record for an output with separate fields.
type entry struct {
	at      time.Time
	level   slog.Level
	message string        // message of an event
	request *proxy.Record // nil = an event
	attrs   []slog.Attr   // without groups: names have the groups as a prefix with dots
}

// structured encodes records with encode. It puts prefix before the names of an event's
// fields. It is safe for concurrent use if its writer is.
type structured struct {
	out    io.Writer // gets one record per call
	level  slog.Level
	encode func(b []byte, e entry) []byte
	prefix string
	attrs  []slog.Attr // attributes of every event
	rooms  *sync.Pool
}

// structuredForm returns the form of such an output. names has the names of a request's
// fields, see [Fields.edits].
func (o Options) structuredForm(encode func(b []byte, e entry) []byte, prefix string, names map[string]string) (form, error) {
	edits, err := o.Fields.edits(names)
	return func(w io.Writer) (slog.Handler, func(*proxy.Record)) {
		h := &structured{out: w, level: o.Level, encode: encode, prefix: prefix, rooms: &sync.Pool{New: func() any { return new([]byte) }}}
		return h, proxy.LogTo(o.Level, func(r *proxy.Record, attrs []slog.Attr) {
			h.write(entry{at: r.Start.Add(r.Duration), level: r.Level(), request: r, attrs: attrs})
		}, edits...)
	}, err
}

func (h *structured) write(e entry) error {
	if e.at.IsZero() {
		e.at = time.Now()
	}
	b := h.rooms.Get().(*[]byte)
	*b = h.encode((*b)[:0], e)
	_, err := h.out.Write(*b)
	if cap(*b) <= maxKeptLine {
		h.rooms.Put(b)
	}
	return err
}

func (h *structured) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

// Handle writes an event.
func (h *structured) Handle(_ context.Context, r slog.Record) error {
	attrs := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = appendFlat(attrs, h.prefix, a)
		return true
	})
	return h.write(entry{at: r.Time, level: r.Level, message: r.Message, attrs: attrs})
}

// appendFlat appends a field, or the fields of a group.
func appendFlat(list []slog.Attr, prefix string, a slog.Attr) []slog.Attr {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		return append(list, slog.Attr{Key: prefix + a.Key, Value: v})
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, inner := range v.Group() {
		list = appendFlat(list, prefix, inner)
	}
	return list
}

func (h *structured) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		next.attrs = appendFlat(next.attrs, h.prefix, a)
	}
	return &next
}

func (h *structured) WithGroup(name string) slog.Handler {
	next := *h
	next.prefix += name + "."
	return &next
}

// namesWith returns the names of all fields of a request's record: the given ones, and
// goodgate's names with a prefix for the others.
func namesWith(prefix string, given map[string]string) map[string]string {
	names := map[string]string{}
	for _, name := range proxy.LogFields() {
		if other, ok := given[name]; ok {
			names[name] = other
		} else {
			names[name] = prefix + name
		}
	}
	return names
}
