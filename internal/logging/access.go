package logging

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// timeLocal is nginx's $time_local.
const timeLocal = "02/Jan/2006:15:04:05 -0700"

// maxKeptLine is the largest line whose memory is used again.
const maxKeptLine = 16 << 10

// access returns an observer that writes a line a request as nginx's predefined
// format combined does, or as common, which lacks the last two fields:
//
//	$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"
func access(w io.Writer, combined bool, level slog.Level) func(*proxy.Record) {
	lines := sync.Pool{New: func() any { return new([]byte) }}
	return func(r *proxy.Record) {
		if r.Level() < level {
			return
		}
		line := lines.Get().(*[]byte)
		*line = appendAccess((*line)[:0], r, combined)
		w.Write(*line)
		if cap(*line) <= maxKeptLine {
			lines.Put(line)
		}
	}
}

func appendAccess(b []byte, r *proxy.Record, combined bool) []byte {
	if r.Client.IsValid() {
		b = r.Client.AppendTo(b)
	} else {
		b = append(b, "unix:"...)
	}
	b = append(b, " - "...)
	b = appendField(b, user(r.Request))
	b = append(b, " ["...)
	b = r.Start.Add(r.Duration).AppendFormat(b, timeLocal)
	b = append(b, `] "`...)
	b = appendEscaped(b, r.Method)
	b = append(b, ' ')
	b = appendEscaped(b, r.Request.RequestURI)
	b = append(b, ' ')
	b = appendEscaped(b, r.Proto)
	b = append(b, `" `...)
	if r.Status < 100 {
		b = append(b, "000"...)
	} else {
		b = strconv.AppendInt(b, int64(r.Status), 10)
	}
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.Sent, 10)
	if combined {
		b = append(b, ` "`...)
		b = appendField(b, r.Request.Field("Referer"))
		b = append(b, `" "`...)
		b = appendField(b, r.Request.Field("User-Agent"))
		b = append(b, '"')
	}
	return append(b, '\n')
}

func user(r *proxy.Request) string {
	name, _, _ := r.BasicAuth()
	return name
}

// appendField is appendEscaped for what may be empty.
func appendField(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	return appendEscaped(b, s)
}

// appendEscaped escapes as nginx does by default: quotes, backslashes and all
// that is no printable ASCII as \xXX.
func appendEscaped(b []byte, s string) []byte {
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

// sampled passes on a share of the requests, and every one that failed, was about
// to, or that an upstream answered with an error of its own.
func sampled(share float64, log func(*proxy.Record)) func(*proxy.Record) {
	if share >= 1 {
		return log
	}
	return func(r *proxy.Record) {
		if !plain(r) || rand.Float64() < share {
			log(r)
		}
	}
}

// plain reports whether nothing about a request is worth a second look.
func plain(r *proxy.Record) bool {
	return r.Reason == reason.None && r.Absorbed == reason.ByNothing && r.Status < 500 && len(r.Attempts) < 2
}
