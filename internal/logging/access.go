package logging

import (
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/goodgate/goodgate/proxy"
)

// timeLocal is nginx's $time_local.
const timeLocal = "02/Jan/2006:15:04:05 -0700"

// maxKeptLine is the largest line whose memory is reused, in bytes.
const maxKeptLine = 16 << 10

// access returns an observer that writes lines made by line. It writes no records below
// level.
func access(w io.Writer, level slog.Level, line func(b []byte, r *proxy.Record) []byte) func(*proxy.Record) {
	lines := sync.Pool{New: func() any { return new([]byte) }}
	return func(r *proxy.Record) {
		if r.Level() < level {
			return
		}
		b := lines.Get().(*[]byte)
		*b = line((*b)[:0], r)
		w.Write(*b)
		if cap(*b) <= maxKeptLine {
			lines.Put(b)
		}
	}
}

// appendAccess appends a line in nginx's predefined format combined, or in the format
// common, which lacks the last two fields:
//
//	$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"
func (d redactor) appendAccess(b []byte, r *proxy.Record, combined bool) []byte {
	b = appendClient(b, r)
	b = append(b, " - "...)
	b = appendField(b, user(r.Request))
	b = append(b, " ["...)
	b = r.Start.Add(r.Duration).AppendFormat(b, timeLocal)
	b = append(b, `] "`...)
	b = appendEscaped(b, r.Method)
	b = append(b, ' ')
	b = d.escapedURI(b, r.Request.RequestURI)
	b = append(b, ' ')
	b = appendEscaped(b, r.Proto)
	b = append(b, `" `...)
	b = appendStatus(b, r)
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.Sent, 10)
	if combined {
		b = append(b, ` "`...)
		if referer := r.Request.Field("Referer"); referer != "" {
			b = d.escapedURI(b, referer)
		} else {
			b = append(b, '-')
		}
		b = append(b, `" "`...)
		b = appendField(b, r.Request.Field("User-Agent"))
		b = append(b, '"')
	}
	return append(b, '\n')
}

// escapedURI is appendEscaped for a URI, with the secrets of its query hidden.
func (d redactor) escapedURI(b []byte, uri string) []byte {
	if !strings.ContainsAny(uri, "?#") {
		return appendEscaped(b, uri)
	}
	var room [512]byte
	return appendEscaped(b, d.appendURI(room[:0], uri))
}

func user(r *proxy.Request) string {
	name, _, _ := r.BasicAuth()
	return name
}

// appendField is appendEscaped for a field that may be empty.
func appendField(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	return appendEscaped(b, s)
}

// appendEscaped escapes like nginx by default: quotes, backslashes and everything that
// is not printable ASCII as \xXX.
func appendEscaped[T string | []byte](b []byte, s T) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
			continue
		}
		b = append(b, c)
	}
	return b
}
