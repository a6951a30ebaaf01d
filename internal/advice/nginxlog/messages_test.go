package nginxlog

import (
	_ "embed"
	"slices"
	"strings"
	"testing"
	"time"
)

// tail is the description of the request that nginx appends.
const tail = `, client: 10.1.1.1, server: example.com, request: "GET /v1/items?token=secret HTTP/1.1", upstream: "http://10.0.0.1:3000/v1/items?token=secret", host: "example.com"`

// TestExamples checks that each row is the first match for its own example, and that
// the row has all of its formats.
func TestExamples(t *testing.T) {
	m := newMatcher()
	for _, row := range Messages() {
		if row.Example == "" || len(row.Formats) == 0 {
			t.Errorf("%v: a row without an example or a format", row.Cause)
			continue
		}
		level := row.Level
		if level == "" {
			level = "error"
		}
		e, ok := parse([]byte("2026/03/01 12:00:01 [" + level + "] 1234#1234: *77 " + row.Example))
		if !ok {
			t.Errorf("%s: no line of an error log", row.Example)
			continue
		}
		got := m.match(e.head, string(e.level))
		if got == nil || got.Cause != row.Cause || !slices.Equal(got.Formats, row.Formats) || !slices.Equal(got.Errno, row.Errno) {
			t.Errorf("%s: got row %+v, want that of %v", row.Example, got, row.Cause)
		}
	}
}

// TestEveryCauseHasAMessage checks that no cause is unused.
func TestEveryCauseHasAMessage(t *testing.T) {
	others := []Cause{Other, ConfigRefused, Overloaded, RetriesSpent, NoRoute, UpstreamStatus, FaultInjected, Goodgate}
	seen := map[Cause]bool{}
	for _, row := range Messages() {
		seen[row.Cause] = true
	}
	names := map[string]bool{}
	for c := range NumCauses {
		if !seen[c] && !slices.Contains(others, c) {
			t.Errorf("no message has the cause %v", c)
		}
		if c.String() == "" || names[c.String()] {
			t.Errorf("cause %d is called %q, as another", c, c)
		}
		names[c.String()] = true
	}
}

// formats has the formats in nginx's sources from 1.18 on, for the parts related to
// upstreams: source file, "upstream" if the message may be about one, format.
//
//go:embed testdata/formats.tsv
var formats string

// TestFormats checks that every message of nginx about an upstream has a cause, with
// any values and for any action.
func TestFormats(t *testing.T) {
	m := newMatcher()
	tried := 0
	for line := range strings.Lines(formats) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		if f[1] != "upstream" {
			continue
		}
		found := false
		for _, doing := range []string{"", "resolving", "connecting to upstream", "SSL handshaking to upstream", "sending request to upstream",
			"reading response header from upstream", "reading upstream", "proxying upgraded connection"} {
			for _, failed := range []string{"", " (111: Connection refused)", " (110: Connection timed out)", " (104: Connection reset by peer)", " (5: Input/output error)"} {
				head := instance(f[2]) + failed
				if doing != "" {
					head += " while " + doing
				}
				tried++
				row := m.match([]byte(head), "crit")
				found = found || row != nil && row.Cause != Other
				if row == nil && strings.HasSuffix(doing, "upstream") && failed == "" && f[0] != "ngx_resolver.c" && f[0] != "ngx_process.c" {
					t.Errorf("%s: %q has no cause", f[0], head)
				}
			}
		}
		if !found {
			t.Errorf("%s: %q never has a cause", f[0], f[2])
		}
	}
	if tried < 5000 {
		t.Errorf("only %d messages were tried", tried)
	}
}

// instance returns a format with values.
func instance(format string) string {
	var b strings.Builder
	text, rest, more := strings.Cut(strings.ReplaceAll(format, `\\`, `\`), "%")
	b.WriteString(text)
	for more {
		rest = strings.TrimLeft(rest, "0123456789.*uxXm")
		value := "7"
		if rest != "" {
			if strings.ContainsRune("Vvs", rune(rest[0])) {
				value = "word"
			}
			rest = rest[1:]
		}
		b.WriteString(value)
		text, rest, more = strings.Cut(rest, "%")
		b.WriteString(text)
	}
	return b.String()
}

func TestCauses(t *testing.T) {
	tally := NewErrorTally()
	f := func(message string, want Cause) {
		t.Helper()
		e, ok := parse([]byte(message))
		if !ok {
			e.head = []byte(message)
		}
		row := tally.rows.match(e.head, "error")
		got := Other
		if row != nil {
			got = row.Cause
		}
		if got != want {
			t.Errorf("%s: %v, want %v", message, got, want)
		}
	}
	// numbers and words of other systems
	f("connect() failed (61: Connection refused) while connecting to upstream", ConnectRefused)
	f("kevent() reported that connect() failed (61: Connection refused) while connecting to upstream", ConnectRefused)
	f("connect() failed (10061: No connection could be made because the target machine actively refused it) while connecting to upstream", ConnectRefused)
	f("upstream timed out (60: Operation timed out) while connecting to upstream", ConnectTimeout)
	f("upstream timed out (10060: A connection attempt failed because the connected party did not properly respond) while reading response header from upstream", ResponseTimeout)
	f("connect() failed (113: Host is unreachable) while connecting to upstream", ConnectUnreachable)
	// the order of rows
	f("app.internal could not be resolved (5: Operation refused)", ResolverRefuses)
	f("upstream.internal could not be resolved (110: Operation timed out)", ResolveTimeout)
	f("worker process 77 exited on signal 11", WorkerCrashed)
	f("worker process 77 exited on signal 15", WorkerEnded)
	f("worker process 77 exited on signal 9", WorkerKilled)
	f("worker process 77 exited with code 0", Other)
	f("upstream sent too large http2 frame: 1377024 while reading response header from upstream", NotHTTP2TLS)
	f("upstream sent too large http2 frame: 99999999 while reading response header from upstream", NotHTTP2)
	f("SSL_do_handshake() failed (SSL: error:0A000416) while SSL handshaking", Other)
	f("peer closed connection in SSL handshake (104: Connection reset by peer) while SSL handshaking to upstream", TLSHandshake)
	f(`open() "/usr/share/nginx/html/favicon.ico" failed (2: No such file or directory)`, Other)
	f("recv() failed (104: Connection reset by peer) while proxying upgraded connection", UpgradeClosed)
	f("epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too while sending request to upstream", ClientGone)
	f(`using the "epoll" event method`, Other)
}

// TestClientText checks that text from a client never counts as a message of nginx.
func TestClientText(t *testing.T) {
	tally := NewErrorTally()
	for _, line := range []string{
		`2026/03/01 12:00:01 [info] 1#1: *1 something else, client: 1.1.1.1, request: "GET /x could not be resolved (110: HTTP/1.1"`,
		`2026/03/01 12:00:01 [error] 1#1: *1 open() "/html/no live upstreams while connecting to upstream" failed (2: No such file or directory), client: 1.1.1.1`,
	} {
		if !tally.Line([]byte(line), time.Time{}) {
			t.Errorf("not a line: %s", line)
		}
	}
	if got := tally.Failures(); len(got) > 0 {
		t.Errorf("a client's words were taken for %v", got[0].Cause)
	}
}
