package logs

import (
	"bytes"
	"encoding/json"
	"slices"
)

// afterField removes "MESSAGE=" of journalctl -o verbose and -o export. It removes the
// other fields completely.
func afterField(text []byte) ([]byte, bool) {
	const longest = 64
	name, _, ok := bytes.Cut(text[:min(len(text), longest)], []byte{'='})
	if !ok || len(name) < 2 || bytes.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
		return nil, false
	}
	if string(name) == "MESSAGE" {
		return text[len(name)+1:], true
	}
	known := name[0] == '_' || slices.ContainsFunc([]string{"PRIORITY", "SYSLOG_", "CODE_", "INVOCATION_ID", "MESSAGE_ID", "TID"}, func(s string) bool { return bytes.HasPrefix(name, []byte(s)) })
	return nil, known
}

// aboutLines removes lines that are not log text: "==> FILE <==" of tail, and the first
// line of a record of journalctl -o verbose.
func aboutLines(text []byte) ([]byte, bool) {
	tail := bytes.HasPrefix(text, []byte("==> ")) && bytes.HasSuffix(text, []byte(" <=="))
	journal := bytes.HasSuffix(text, []byte{']'}) && bytes.Contains(text, []byte("[s=")) && bytes.Contains(text, []byte(";i="))
	return nil, tail || journal
}

// afterLabels removes "{app="web", pod="x"} " of Loki.
func afterLabels(text []byte) ([]byte, bool) {
	const longest = 1024
	labels, _, ok := bytes.Cut(text[:min(len(text), longest)], []byte("} "))
	if !ok {
		return nil, false
	}
	for label := range bytes.SplitSeq(labels[1:], []byte(", ")) {
		name, value, ok := bytes.Cut(label, []byte{'='})
		if !ok || !isName(name) || len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
			return nil, false
		}
	}
	return text[len(labels)+2:], true
}

// quotedErrorLine extracts a line of nginx's error log from a string of CSV or JSON.
// Text from a client cannot look like one, because nginx escapes a quote as \x22 and a
// backslash as \x5C.
func (e *Envelope) quotedErrorLine(text []byte) ([]byte, bool) {
	const longest = 256
	for from := 0; !e.Inside; {
		i := bytes.IndexByte(text[from:min(len(text), longest)], '"')
		if i < 0 {
			return nil, false
		}
		from += i + 1
		if !IsErrorLine(text[from:]) {
			continue
		}
		inner := text[from:]
		switch {
		case bytes.Contains(inner, []byte(`: ""`)):
			e.inner = append(e.inner[:0], bytes.ReplaceAll(inner, []byte(`""`), []byte(`"`))...)
		case bytes.Contains(inner, []byte(`: \"`)):
			var s string
			end := bytes.LastIndexByte(inner, '"')
			if end < 0 || json.Unmarshal(text[from-1:from+end+1], &s) != nil {
				return nil, false
			}
			e.inner = append(e.inner[:0], s...)
		default:
			return nil, false
		}
		return e.inner, true
	}
	return nil, false
}
