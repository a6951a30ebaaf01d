package logging

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/goodgate/goodgate/proxy"
)

// Syslog configures the messages to a syslog server. The format is that of RFC 5424.
type Syslog struct {
	Facility int    // 0 to 23
	App      string // APP-NAME
	Newline  bool   // over a stream, a newline ends each message; otherwise its length precedes it
}

// maxSyslog bounds a message, in bytes. It must fit into a datagram: UDP allows 65,507
// bytes, and servers usually less. Longer messages are cut.
const maxSyslog = 60 << 10

// syslogTime is RFC 3339 with six digits, the most that RFC 5424 allows.
const syslogTime = "2006-01-02T15:04:05.000000Z07:00"

// framer turns the records that pass through it into syslog messages, each after its
// length, as TCP requires (RFC 6587 section 3.4.1). The lengths are also used to split
// datagrams.
type framer struct {
	to   *Writer
	head string // HOSTNAME APP-NAME PROCID
	base int    // PRI without the severity

	mu    sync.Mutex // held while a record is written; protects the fields below
	level slog.Level
	at    time.Time
	kind  string // MSGID
	buf   []byte
}

func newFramer(to *Writer, s Syslog) *framer {
	host, _ := os.Hostname()
	head := strings.Join([]string{headerField(host, 255), headerField(s.App, 48), strconv.Itoa(os.Getpid())}, " ")
	return &framer{to: to, head: head, base: s.Facility * 8}
}

// headerField returns text in the form of a header field: printable ASCII without
// spaces, - for empty.
func headerField(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}

// Write receives the text of the current record.
func (f *framer) Write(p []byte) (int, error) {
	text := strings.TrimSuffix(string(p), "\n")
	b := append(f.buf[:0], '<')
	b = strconv.AppendInt(b, int64(f.base+severity(f.level)), 10)
	b = append(b, ">1 "...)
	b = f.at.AppendFormat(b, syslogTime)
	b = append(append(append(b, ' '), f.head...), ' ')
	b = append(append(b, f.kind...), " - "...)
	if room := maxSyslog - len(b); len(text) > room {
		for room > 0 && !utf8.RuneStart(text[room]) {
			room--
		}
		text = text[:room]
	}
	b = append(b, text...)
	f.buf = b
	frame := strconv.AppendInt(make([]byte, 0, len(b)+8), int64(len(b)), 10)
	frame = append(append(frame, ' '), b...)
	if _, err := f.to.Write(frame); err != nil {
		return 0, err
	}
	return len(p), nil
}

// severity returns the severity of RFC 5424 section 6.2.1.
func severity(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}

// begin starts a record, which ends with f.mu.Unlock.
func (f *framer) begin(level slog.Level, at time.Time, kind string) {
	f.mu.Lock()
	f.level, f.at, f.kind = level, at, kind
	if at.IsZero() {
		f.at = time.Now()
	}
}

// access returns a function that logs a request with log, whose line goes to Write.
func (f *framer) access(log func(*proxy.Record)) func(*proxy.Record) {
	return func(r *proxy.Record) {
		f.begin(r.Level(), r.Start.Add(r.Duration), "request")
		defer f.mu.Unlock()
		log(r)
	}
}

// framed is a handler whose lines go to the framer's Write.
type framed struct {
	slog.Handler
	framer *framer
}

func (h framed) Handle(ctx context.Context, r slog.Record) error {
	h.framer.begin(r.Level, r.Time, "event")
	defer h.framer.mu.Unlock()
	return h.Handler.Handle(ctx, r)
}

func (h framed) WithAttrs(attrs []slog.Attr) slog.Handler {
	return framed{h.Handler.WithAttrs(attrs), h.framer}
}

func (h framed) WithGroup(name string) slog.Handler {
	return framed{h.Handler.WithGroup(name), h.framer}
}

// frame returns the length of the first message's frame, and the position of the
// message in it. The messages are the framer's own.
func frame(b []byte) (begin, end int) {
	n := 0
	for b[begin] != ' ' {
		n = n*10 + int(b[begin]-'0')
		begin++
	}
	begin++
	return begin, begin + n
}

// countFrames returns the number of messages. The first one may be incomplete.
func countFrames(b []byte) (n int) {
	for len(b) > 0 {
		_, end := frame(b)
		b = b[end:]
		n++
	}
	return n
}
