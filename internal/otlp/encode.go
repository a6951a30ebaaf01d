//go:build !minimal

package otlp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxText bounds a text in bytes, so that one value does not fill a message.
const maxText = 8 << 10

// maxDepth bounds values within values.
const maxDepth = 8

// Open begins a message within a message. Close ends it.
func Open(b []byte, field protowire.Number) (_ []byte, start int) {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return b, len(b)
}

// Close ends the message that began at start: it puts the length before it.
func Close(b []byte, start int) []byte {
	size := len(b) - start
	width := protowire.SizeVarint(uint64(size))
	for range width {
		b = append(b, 0)
	}
	copy(b[start+width:], b[start:start+size])
	protowire.AppendVarint(b[:start], uint64(size))
	return b
}

// Text returns a text as it may be sent: of bounded length, and UTF-8. Receivers reject a
// whole message for one text that is not.
func Text(s string) string {
	if len(s) > maxText {
		cut := maxText
		for cut > maxText-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// AppendString appends a text.
func AppendString(b []byte, field protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, Text(s))
}

// AppendBytes appends bytes, such as an ID.
func AppendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// AppendInt appends a number with the wire type varint.
func AppendInt(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

// AppendFixed64 appends a number of eight bytes.
func AppendFixed64(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), v)
}

// AppendFloat appends a number with a fraction.
func AppendFloat(b []byte, field protowire.Number, v float64) []byte {
	return AppendFixed64(b, field, math.Float64bits(v))
}

// AppendTime appends a time in nanoseconds since 1970.
func AppendTime(b []byte, field protowire.Number, at time.Time) []byte {
	return AppendFixed64(b, field, uint64(at.UnixNano()))
}

// AppendAttr appends a KeyValue.
func AppendAttr(b []byte, field protowire.Number, key string, v slog.Value) []byte {
	return appendKeyValue(b, field, key, v, 0)
}

func appendKeyValue(b []byte, field protowire.Number, key string, v slog.Value, depth int) []byte {
	b, start := Open(b, field)
	b = AppendString(b, 1, key)
	b = appendAnyValue(b, 2, v, depth)
	return Close(b, start)
}

// appendAnyValue appends an AnyValue: a text (1), a truth value (2), a whole number (3), a
// fraction (4), a list (5) or keys and values (6).
func appendAnyValue(b []byte, field protowire.Number, v slog.Value, depth int) []byte {
	b, start := Open(b, field)
	switch v = v.Resolve(); v.Kind() {
	case slog.KindString:
		b = AppendString(b, 1, v.String())
	case slog.KindBool:
		b = AppendInt(b, 2, int64(protowire.EncodeBool(v.Bool())))
	case slog.KindInt64:
		b = AppendInt(b, 3, v.Int64())
	case slog.KindUint64:
		b = AppendInt(b, 3, int64(min(v.Uint64(), math.MaxInt64)))
	case slog.KindFloat64:
		b = AppendFloat(b, 4, v.Float64())
	case slog.KindTime:
		b = AppendString(b, 1, v.Time().Format(time.RFC3339Nano))
	case slog.KindGroup:
		b = appendGroup(b, v.Group(), depth)
	case slog.KindAny:
		b = appendAny(b, v.Any(), depth)
	default: // a duration
		b = AppendString(b, 1, v.String())
	}
	return Close(b, start)
}

func appendGroup(b []byte, group []slog.Attr, depth int) []byte {
	b, start := Open(b, 6)
	if depth < maxDepth {
		for _, a := range group {
			b = appendKeyValue(b, 1, a.Key, a.Value, depth+1)
		}
	}
	return Close(b, start)
}

// appendAny appends the content of an AnyValue: of an error its text, of other values what
// their JSON has.
func appendAny(b []byte, v any, depth int) []byte {
	switch v := v.(type) {
	case error:
		return AppendString(b, 1, v.Error())
	case nil:
		return b
	}
	text, err := json.Marshal(v)
	if err != nil {
		return AppendString(b, 1, fmt.Sprint(v))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var plain any
	if err := d.Decode(&plain); err != nil {
		return AppendString(b, 1, string(text))
	}
	return appendPlain(b, plain, depth)
}

// appendPlain appends the content of an AnyValue for what a JSON text holds.
func appendPlain(b []byte, v any, depth int) []byte {
	switch v := v.(type) {
	case string:
		return AppendString(b, 1, v)
	case bool:
		return AppendInt(b, 2, int64(protowire.EncodeBool(v)))
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return AppendInt(b, 3, n)
		}
		f, _ := v.Float64()
		return AppendFloat(b, 4, f)
	case []any:
		b, start := Open(b, 5)
		for _, e := range v {
			if depth < maxDepth {
				var begin int
				b, begin = Open(b, 1)
				b = Close(appendPlain(b, e, depth+1), begin)
			}
		}
		return Close(b, start)
	case map[string]any:
		b, start := Open(b, 6)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if depth < maxDepth {
				var begin, value int
				b, begin = Open(b, 1)
				b = AppendString(b, 1, key)
				b, value = Open(b, 2)
				b = Close(appendPlain(b, v[key], depth+1), value)
				b = Close(b, begin)
			}
		}
		return Close(b, start)
	}
	return b
}
