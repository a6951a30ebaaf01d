package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// maxKeptLine bounds the buffers that are reused, in bytes.
const maxKeptLine = 16 << 10

// jsonLine is the memory for one line of JSON.
type jsonLine struct {
	attrs [maxAttrs]slog.Attr
	buf   []byte
}

// LogJSON returns an observer that writes the same lines as [Log] with a
// [slog.JSONHandler], at lower cost: slog uses encoding/json for every number with a
// fraction, and so for every duration. Each line is one Write to w, which must be safe
// for concurrent use. Write errors are ignored. It does not write records below level.
func LogJSON(w io.Writer, level slog.Level, edits ...LogEdit) func(*Record) {
	lines := sync.Pool{New: func() any { return new(jsonLine) }}
	return func(r *Record) {
		if r.Level() < level {
			return
		}
		l := lines.Get().(*jsonLine)
		l.buf = r.appendJSON(l.buf[:0], l.attrs[:0], edits)
		w.Write(l.buf)
		if cap(l.buf) <= maxKeptLine {
			clear(l.attrs[:]) // else the pool would keep the request's strings alive
			lines.Put(l)
		}
	}
}

// appendJSON appends the line. room is memory for the attributes.
func (r *Record) appendJSON(b []byte, room []slog.Attr, edits []LogEdit) []byte {
	b = append(b, '{')
	if end := r.Start.Add(r.Duration); !end.IsZero() {
		b = append(b, `"time":"`...)
		b = append(end.AppendFormat(b, time.RFC3339Nano), `",`...)
	}
	b = appendJSONString(append(b, `"level":`...), r.Level().String())
	b = append(b, `,"msg":"request"`...)
	for _, a := range r.edited(room, edits) {
		b = append(b, ',')
		b = appendJSONString(b, a.Key)
		b = append(b, ':')
		b = appendJSONValue(b, a.Value)
	}
	return append(b, "}\n"...)
}

func appendJSONValue(b []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendJSONString(b, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case slog.KindFloat64: // its values are never so small or large that JSON would use an exponent
		return strconv.AppendFloat(b, v.Float64(), 'f', -1, 64)
	}
	text, err := v.Any().(json.Marshaler).MarshalJSON() // of the attempts; edits add only texts and numbers
	if err != nil {
		return appendJSONString(b, fmt.Sprintf("!ERROR:%v", err))
	}
	return append(b, text...)
}

// appendJSONString quotes s as slog does. It replaces invalid UTF-8, and escapes two
// separators that JavaScript once treated as ends of lines.
func appendJSONString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	done := 0 // the bytes of s that are in b
	for i := 0; i < len(s); {
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(s[i:])
		}
		plain := c >= ' ' && c != '"' && c != '\\' && c != '\u2028' && c != '\u2029' && (c != utf8.RuneError || size > 1)
		if plain {
			i += size
			continue
		}
		b = append(append(b, s[done:i]...), '\\')
		switch c {
		case '"', '\\':
			b = append(b, byte(c))
		case '\n':
			b = append(b, 'n')
		case '\r':
			b = append(b, 'r')
		case '\t':
			b = append(b, 't')
		default:
			b = append(b, 'u', digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15])
		}
		i += size
		done = i
	}
	return append(append(b, s[done:]...), '"')
}
