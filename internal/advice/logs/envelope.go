package logs

import (
	"bytes"
	"time"
)

// maxLayers is the largest number of nested envelopes, such as syslog within a
// container's JSON within kubectl's prefix.
const maxLayers = 5

// Envelope removes the text that others put around a line. The zero value is ready for
// use.
type Envelope struct {
	Inside bool // the line is inside a record over several lines: its strings stay as they are

	plain []byte // buffer for a line without its colours
	inner []byte // buffer for a decoded JSON string
}

// Strip returns the text that a program wrote, and the time around it with its zone;
// zero if there is none. The bytes are valid until the next call.
func (e *Envelope) Strip(line []byte) (text []byte, at time.Time) {
	text = e.clean(line)
	for range maxLayers {
		if IsErrorLine(text) {
			break
		}
		rest, t, ok := e.layer(text)
		if !ok {
			break
		}
		text = e.clean(rest)
		if !t.IsZero() {
			at = t
		}
	}
	return text, at
}

// layer removes the outermost envelope.
func (e *Envelope) layer(text []byte) (rest []byte, at time.Time, ok bool) {
	if len(text) == 0 {
		return nil, at, false
	}
	switch c := text[0]; {
	case c == '{':
		if rest, ok := afterLabels(text); ok {
			return rest, at, true
		}
		return e.json(text)
	case c == '<':
		return afterPriority(text)
	case c == '[':
		if rest, ok = afterPod(text); ok {
			return rest, at, true
		}
	case c >= '0' && c <= '9':
		if rest, at, ok = afterTime(text); ok {
			return afterStream(rest), at, true
		}
	case c >= 'A' && c <= 'Z':
		if rest, ok = afterBSDTime(text); ok {
			return rest, at, true
		}
	}
	for _, off := range []func([]byte) ([]byte, bool){afterBar, afterField, aboutLines, e.quotedErrorLine, beforeErrorLine} {
		if rest, ok = off(text); ok {
			return rest, at, true
		}
	}
	return nil, at, false
}

// clean removes a Windows line end, a byte order mark, white space, terminal colours,
// and the quotation marks that people put around posted logs.
func (e *Envelope) clean(line []byte) []byte {
	line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(line, 0x1b) >= 0 {
		e.plain = withoutEscapes(e.plain[:0], line)
		line = e.plain
	}
	line = bytes.TrimPrefix(bytes.Trim(line, " \r\n\t\x00"), []byte("> "))
	return bytes.Trim(line, "`")
}

// withoutEscapes copies a line without its escape sequences (ECMA-48, section 5.4: CSI,
// parameters, a final byte) and without other two-byte escapes.
func withoutEscapes(to, line []byte) []byte {
	for i := 0; i < len(line); i++ {
		if line[i] != 0x1b {
			to = append(to, line[i])
			continue
		}
		i++
		if i < len(line) && line[i] == '[' {
			for i++; i < len(line) && (line[i] < 0x40 || line[i] > 0x7e); i++ {
			}
		}
	}
	return to
}

// afterBar removes "web-1  | " of docker compose, and the same form of Swarm and PM2.
func afterBar(text []byte) ([]byte, bool) {
	const longest = 128
	name, rest, ok := bytes.Cut(text[:min(len(text), longest)], []byte("|"))
	spaced := len(rest) == 0 || rest[0] == ' '
	if !ok || !isName(bytes.TrimRight(name, " ")) || !spaced && !(digits(name) && len(name) <= 3) {
		return nil, false
	}
	return text[len(name)+1:], true
}

// isName reports whether b is a possible name of a container, a pod or a program.
func isName(b []byte) bool {
	for _, c := range b {
		if !isNameByte(c) {
			return false
		}
	}
	return len(b) > 0
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || bytes.IndexByte([]byte("._-@/:#"), c) >= 0
}

// afterPod removes "[pod/web-1/nginx] " of kubectl --prefix and similar tools.
func afterPod(text []byte) ([]byte, bool) {
	end := bytes.IndexByte(text, ']')
	if end < 2 || end > 256 || !isName(text[1:end]) || isLevel(text[1:end]) || isDate(text[1:end]) || end+1 >= len(text) {
		return nil, false
	}
	if next := text[end+1]; next != ' ' && (next < '0' || next > '9') {
		return nil, false
	}
	return text[end+1:], true
}

func isLevel(b []byte) bool {
	switch string(bytes.ToLower(b)) {
	case "debug", "info", "notice", "warn", "warning", "error", "crit", "alert", "emerg", "critical", "trace", "off":
		return true
	}
	return false
}

func isDate(b []byte) bool { return len(b) > 10 && b[4] == '-' && b[7] == '-' }

// afterStream removes "stderr F " of the container runtime interface.
func afterStream(text []byte) []byte {
	for _, stream := range []string{"stdout ", "stderr "} {
		if rest, ok := bytes.CutPrefix(text, []byte(stream)); ok {
			if len(rest) > 2 && (rest[0] == 'F' || rest[0] == 'P') && (rest[1] == ' ' || rest[1] == ':') {
				return rest[2:]
			}
			return rest
		}
	}
	return text
}

// IsErrorLine reports whether a line begins as nginx's error log does:
// "2006/01/02 15:04:05 [".
func IsErrorLine(b []byte) bool {
	const stamp = "0000/00/00 00:00:00 ["
	if len(b) <= len(stamp) {
		return false
	}
	for i := range len(stamp) {
		if stamp[i] == '0' && (b[i] < '0' || b[i] > '9') || stamp[i] != '0' && b[i] != stamp[i] {
			return false
		}
	}
	return true
}

// beforeErrorLine removes any text before a line of nginx's error log, unless it may be
// text from a client: it must have no quote and not be an access log.
func beforeErrorLine(text []byte) ([]byte, bool) {
	const longest = 256
	for from := 0; ; {
		i := bytes.Index(text[from:min(len(text), longest)], []byte(" ["))
		if i < 0 {
			return nil, false
		}
		at := from + i - len("2006/01/02 15:04:05")
		from += i + 1
		if at <= 0 || !IsErrorLine(text[at:]) {
			continue
		}
		if bytes.ContainsAny(text[:at], `"`) || bytes.Contains(text[:at], []byte(" - ")) {
			return nil, false
		}
		return text[at:], true
	}
}
