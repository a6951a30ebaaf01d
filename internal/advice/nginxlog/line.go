package nginxlog

import (
	"bytes"

	"github.com/goodgate/goodgate/internal/advice/logs"
)

// messageHead bounds the beginning of a message that is matched with the rows, in
// bytes.
const messageHead = 600

// entry is a parsed line of an error log.
type entry struct {
	time  []byte // "2006/01/02 15:04:05", nil if missing
	level []byte // "error"
	head  []byte // nginx's message
	rest  []byte // ", client: ...": the request, with text from the client
}

// parse parses a line; ok is false if it is not of an error log. The time may be
// missing.
func parse(line []byte) (e entry, ok bool) {
	rest := line
	if logs.IsErrorLine(line) {
		const stamp = len("2006/01/02 15:04:05")
		e.time, rest = line[:stamp], line[stamp+1:]
	}
	_, isPrinted := bytes.CutPrefix(rest, []byte("nginx: [")) // as on a terminal
	if isPrinted {
		rest = rest[len("nginx: "):]
	}
	if len(rest) == 0 || rest[0] != '[' {
		return e, false
	}
	end := bytes.IndexByte(rest, ']')
	if end < 0 || end > 8 || !isLevel(rest[1:end]) {
		return e, false
	}
	e.level, rest = rest[1:end], rest[end+1:]
	m, ok := afterIDs(rest)
	if !ok && isPrinted {
		m, ok = bytes.TrimLeft(rest, " "), true
	}
	if !ok {
		return e, false
	}
	e.head, e.rest = cut(m)
	return e, true
}

// bare returns the entry of a message without the text that nginx puts before it.
func bare(line []byte) entry {
	e := entry{level: []byte("error")}
	e.head, e.rest = cut(line)
	return e
}

func isLevel(b []byte) bool {
	switch string(b) {
	case "debug", "info", "notice", "warn", "error", "crit", "alert", "emerg":
		return true
	}
	return false
}

// afterIDs removes " 1234#1234: *77 ": process, thread, connection.
func afterIDs(text []byte) ([]byte, bool) {
	const longest = 32
	i := bytes.IndexByte(text[:min(len(text), longest)], ':')
	if i < 1 || text[0] != ' ' || !isIDs(text[1:i]) {
		return nil, false
	}
	rest := bytes.TrimLeft(text[i+1:], " ")
	if len(rest) > 0 && rest[0] == '*' {
		if i = bytes.IndexByte(rest, ' '); i < 0 {
			return nil, false
		}
		rest = rest[i+1:]
	}
	return rest, true
}

func isIDs(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && c != '#' {
			return false
		}
	}
	return true
}

// cut splits a message before ", client: ". The rest is about the request and contains
// text from the client.
func cut(m []byte) (head, rest []byte) {
	limited := m[:min(len(m), messageHead)]
	end := -1
	for _, marker := range []string{", client: ", ", server: ", ", upstream: \"", ", resolver: "} {
		if i := bytes.Index(limited, []byte(marker)); i >= 0 && (end < 0 || i < end) {
			end = i
		}
	}
	if end >= 0 {
		return m[:end], m[end:]
	}
	return limited, m
}

// matters reports whether a line without a matching row is about a failure at an
// upstream or of nginx's start.
func (e *entry) matters() bool {
	switch string(e.level) {
	case "emerg":
		return true
	case "error", "crit", "alert", "warn":
		said, _, _ := bytes.Cut(e.head, []byte{'"'})
		return has(said, "upstream") || has(action(e.head), "upstream") || bytes.HasPrefix(e.rest, []byte(`, upstream: "`)) || has(e.rest, `", upstream: "`)
	}
	return false
}

// GoesOn reports whether a line of an error log ends inside an application's output
// that continues in the next lines, such as a stack trace of PHP.
func GoesOn(line []byte) bool {
	_, said, ok := bytes.Cut(line, []byte(` sent in stderr: "`))
	return ok && !bytes.Contains(said, []byte(`" while `))
}
