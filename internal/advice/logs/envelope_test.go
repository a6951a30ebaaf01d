package logs_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/advice/logs"
)

// inner has lines of each kind.
var inner = []string{
	`2026/03/01 12:00:01 [error] 29#29: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 10.1.1.1, server: x, request: "GET /a HTTP/1.1", upstream: "http://10.0.0.1:80/a", host: "x"`,
	`10.1.1.1 - - [01/Mar/2026:12:00:01 +0000] "GET /a HTTP/1.1" 502 157 "-" "curl/8.0"`,
	`{"time":"2026-03-01T12:00:01+00:00","status":"502","request":"GET /a HTTP/1.1","upstream_addr":"10.0.0.1:80"}`,
	`{"level":"error","ts":1772366400.5,"logger":"http.log.error","msg":"EOF","request":{"uri":"/"},"status":502}`,
	`10.1.1.1:4711 [01/Mar/2026:12:00:00.123] web app/s1 0/0/-1/-1/3 503 217 - - SC-- 1/1/0/0/3 0/0 "GET / HTTP/1.1"`,
	`[2026-03-01T12:00:00.000Z] "GET / HTTP/1.1" 503 UF - 0 91 12 - "-" "curl" "id" "host" "10.0.0.1:80"`,
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// envelopes has functions that put an envelope around a line, most of them with a time.
var envelopes = map[string]func(string) string{
	"nothing":            func(s string) string { return s },
	"docker compose":     func(s string) string { return "web-1  | " + s },
	"docker compose v1":  func(s string) string { return "web_1    | " + s },
	"compose with times": func(s string) string { return "web-1  | 2026-03-01T12:00:01.123456789Z " + s },
	"compose in colour":  func(s string) string { return "\x1b[36mweb-1  | \x1b[0m" + s },
	"swarm":              func(s string) string { return "stack_web.1.0yyq3x@node-1    | " + s },
	"PM2":                func(s string) string { return "0|web  | " + s },
	"docker logs -t":     func(s string) string { return "2026-03-01T12:00:01.123456789Z " + s },
	"docker json": func(s string) string {
		return `{"log":` + quoted(s+"\n") + `,"stream":"stderr","time":"2026-03-01T12:00:01.1Z"}`
	},
	"CRI":                 func(s string) string { return "2026-03-01T12:00:01.123456789+01:00 stderr F " + s },
	"kubectl prefix":      func(s string) string { return "[pod/web-5d4f-x2x/nginx] " + s },
	"kubectl both":        func(s string) string { return "[pod/web-5d4f-x2x/nginx] 2026-03-01T12:00:01.123456789Z " + s },
	"RFC 3164":            func(s string) string { return "<187>Mar  1 12:00:01 host nginx: " + s },
	"RFC 3164, a file":    func(s string) string { return "Mar  1 12:00:01 host nginx[123]: " + s },
	"syslog without host": func(s string) string { return "<187>Mar  1 12:00:01 nginx: " + s },
	"RFC 5424":            func(s string) string { return "<187>1 2026-03-01T12:00:01.003Z host nginx 123 - - " + s },
	"RFC 5424, data": func(s string) string {
		return `<187>1 2026-03-01T12:00:01Z host nginx 123 ID47 [a@1 k="v\"]"][b@1] ` + s
	},
	"rsyslog, ISO":     func(s string) string { return "2026-03-01T12:00:01.123456+01:00 host nginx[1]: " + s },
	"journald short":   func(s string) string { return "Mar 01 12:00:01 host nginx[123]: " + s },
	"journald precise": func(s string) string { return "Mar 01 12:00:01.123456 host nginx[123]: " + s },
	"journald ISO":     func(s string) string { return "2026-03-01T12:00:01+0000 host nginx[123]: " + s },
	"journald full":    func(s string) string { return "Sun 2026-03-01 12:00:01 UTC host nginx[123]: " + s },
	"journald unix":    func(s string) string { return "1772366401.123456 host nginx[123]: " + s },
	"journald JSON": func(s string) string {
		return `{"MESSAGE":` + quoted(s) + `,"__REALTIME_TIMESTAMP":"1772366401000000"}`
	},
	"journald bytes": func(s string) string {
		return `{"__REALTIME_TIMESTAMP":"1772366401000000","MESSAGE":` + strings.ReplaceAll(fmt.Sprint([]byte(s)), " ", ",") + `}`
	},
	"Windows":           func(s string) string { return s + "\r" },
	"byte order mark":   func(s string) string { return "\xef\xbb\xbf" + s },
	"colours":           func(s string) string { return "\x1b[31m" + s + "\x1b[0m" },
	"Google Cloud":      func(s string) string { return `{"textPayload":` + quoted(s) + `,"timestamp":"2026-03-01T12:00:01Z"}` },
	"GELF":              func(s string) string { return `{"version":"1.1","short_message":` + quoted(s) + `}` },
	"date and space":    func(s string) string { return "2026-03-01 12:00:01 " + s },
	"syslog in compose": func(s string) string { return "log-1 | <187>Mar  1 12:00:01 host nginx: " + s },
	"JSON in CRI": func(s string) string {
		return "2026-03-01T12:00:01.1Z stdout F " + `{"log":` + quoted(s) + `}`
	},
}

// TestEnvelopes checks that a line is read in the same way in every envelope.
func TestEnvelopes(t *testing.T) {
	var e logs.Envelope
	for name, around := range envelopes {
		for _, line := range inner {
			if got, _ := e.Strip([]byte(around(line))); string(got) != line {
				t.Errorf("%s: got %q, want %q", name, got, line)
			}
		}
	}
}

// TestEnvelopeTime checks the time in an envelope, which must have a zone.
func TestEnvelopeTime(t *testing.T) {
	want := time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC)
	var e logs.Envelope
	for _, name := range []string{"docker logs -t", "docker json", "kubectl both", "RFC 5424", "journald ISO", "journald unix", "journald JSON", "Google Cloud"} {
		if _, at := e.Strip([]byte(envelopes[name](inner[0]))); !at.Truncate(time.Second).Equal(want) {
			t.Errorf("%s: at %v, want %v", name, at, want)
		}
	}
}

// TestNoEnvelope checks that text similar to an envelope stays unchanged.
func TestNoEnvelope(t *testing.T) {
	var e logs.Envelope
	for _, line := range []string{
		`10.1.1.1 - 2026/03/01 12:00:01 [error] 1#1: *1 no live upstreams [01/Mar/2026:12:00:01 +0000] "GET / HTTP/1.1" 200 1 "-" "-"`,
		`10.1.1.1 - - [01/Mar/2026:12:00:01 +0000] "GET / HTTP/1.1" 200 1 "-" "2026/03/01 12:00:01 [error] 1#1: x"`,
		`1.1.1.1|GET /|502|0.001`,
		`{"level":"error","message":"not a line of a log"}`,
		`[error] 29#29: *1 no live upstreams while connecting to upstream`,
		"", "|", "<", "<1>x"[:1], "[", "{", "Mar", "2026-03-01T12:00:01",
	} {
		if got, _ := e.Strip([]byte(line)); string(got) != line {
			t.Errorf("%q became %q", line, got)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, around := range envelopes {
		f.Add([]byte(around(inner[0])))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var e logs.Envelope
		if got, _ := e.Strip(line); len(got) > len(line)*6+16 { // JSON's \u00ff has six bytes
			t.Errorf("%q became longer: %q", line, got)
		}
	})
}

func BenchmarkEnvelope(b *testing.B) {
	var e logs.Envelope
	line := []byte(inner[1])
	b.ReportAllocs()
	for b.Loop() {
		e.Strip(line)
	}
}
