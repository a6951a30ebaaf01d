package nginxlog

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// known returns common formats of other projects, the most specific first.
func known() []string {
	const common = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`
	return []string{
		common + ` $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`, // ingress-nginx
		common + ` $request_length $request_time [$proxy_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`,                                    // before 0.26
	}
}

// guess finds the fields of a line in an unknown format.
type guess struct{ formats []*Format }

func newGuess() guess {
	var g guess
	for _, text := range known() {
		f, err := NewFormat(text)
		if err == nil {
			g.formats = append(g.formats, f)
		}
	}
	return g
}

func (g *guess) split(line []byte, fields *[numFields][]byte) bool {
	if len(line) > 0 && line[0] == '{' {
		return splitJSON(line, fields)
	}
	if bytes.Contains(line, []byte("] [")) || bytes.Contains(line, []byte("-80] ")) {
		for _, f := range g.formats {
			if f.split(line, fields) && isStatus(fields[fieldStatus]) {
				return true
			}
			*fields = [numFields][]byte{}
		}
	}
	return splitFree(line, fields)
}

// splitFree finds the request line by its form, the status after it, the time by its
// brackets, and values with a name, such as "urt=0.123".
func splitFree(line []byte, fields *[numFields][]byte) bool {
	start, end := requestLine(line)
	if start < 0 {
		return false
	}
	fields[fieldRequest] = line[start:end]
	if local := between(line, '[', ']'); len(local) == len("02/Jan/2006:15:04:05 -0700") && local[2] == '/' {
		fields[fieldTimeLocal] = local
	}
	rest := bytes.TrimLeft(line[end:], `" `)
	for word := range bytes.FieldsSeq(rest) {
		word = bytes.Trim(word, `",;|[]()`)
		if fields[fieldStatus] == nil && isStatus(word) {
			fields[fieldStatus] = word
		}
	}
	for word := range bytes.FieldsSeq(line) {
		word = bytes.Trim(word, "[]\"")
		if len(word) == len("2006-01-02T15:04:05-07:00") && word[10] == 'T' && fields[fieldTimeISO8601] == nil {
			fields[fieldTimeISO8601] = word
		}
	}
	named(line, fields)
	if fields[fieldUpstream] == nil {
		fields[fieldUpstream] = address(rest)
	}
	return fields[fieldStatus] != nil
}

// requestLine finds "GET /path HTTP/1.1", with or without quotes.
func requestLine(line []byte) (start, end int) {
	proto := bytes.Index(line, []byte(" HTTP/"))
	if proto < 0 {
		return -1, -1
	}
	end = proto + 1
	for end < len(line) && line[end] != '"' && line[end] != ' ' && line[end] != '|' {
		end++
	}
	if start = bytes.LastIndexByte(line[:proto], '"') + 1; start == 0 {
		if start = bytes.LastIndexByte(bytes.TrimRight(line[:proto], " "), ' '); start < 0 { // the URI, after the method
			return 0, end
		}
		start = bytes.LastIndexByte(line[:start], ' ') + 1
	}
	return start, end
}

// longestName bounds the name of a value, in bytes.
const longestName = 48

// named finds values with the names that administrators usually give them.
func named(line []byte, fields *[numFields][]byte) {
	for from := 0; ; {
		i := bytes.IndexAny(line[from:], "=:")
		if i < 0 {
			return
		}
		i += from
		from = i + 1
		name := bytes.TrimRight(line[max(0, i-longestName):i], `" `)
		name = name[lastNonName(name)+1:]
		f := meaning(name)
		if f == unused || fields[f] != nil || f == fieldRequest || f == fieldStatus {
			continue
		}
		value := bytes.TrimLeft(line[i+1:], " ")
		if quoted, ok := bytes.CutPrefix(value, []byte(`"`)); ok {
			value, _, _ = bytes.Cut(quoted, []byte(`"`))
		} else {
			value = untilSpace(value)
		}
		fields[f] = bytes.TrimRight(value, ",;|]")
	}
}

func lastNonName(b []byte) int {
	for i := len(b) - 1; i >= 0; i-- {
		c := b[i]
		if c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return i
		}
	}
	return -1
}

// untilSpace returns a value up to a space. A space after a comma does not end it.
func untilSpace(b []byte) []byte {
	for i := range b {
		if b[i] == ' ' && (i == 0 || b[i-1] != ',') {
			return b[:i]
		}
	}
	return b
}

// meaning returns the field for a name, in any case, with "-" or "." in place of "_".
func meaning(name []byte) field {
	var plain [longestName]byte
	if len(name) < 2 || len(name) > longestName || name[0] >= '0' && name[0] <= '9' {
		return unused
	}
	for i, c := range name {
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == '-' || c == '.':
			c = '_'
		}
		plain[i] = c
	}
	switch string(bytes.TrimPrefix(plain[:len(name)], []byte("nginx_"))) {
	case "status", "status_code", "response_code", "http_status", "http_status_code", "response_status", "code":
		return fieldStatus
	case "request", "request_uri", "uri", "path", "url", "request_path", "http_path":
		return fieldRequest
	case "rt", "request_time", "req_time", "reqtime", "duration_s":
		return fieldTime
	case "upstream_addr", "upstream", "uaddr", "upaddr", "ups", "upstream_address", "upstream_host", "backend", "proxy_to":
		return fieldUpstream
	case "urt", "upstream_response_time", "upstream_time", "uptime", "ut", "upstream_rt", "us_rt":
		return fieldUpstreamT
	case "time_local":
		return fieldTimeLocal
	case "time_iso8601", "time", "@timestamp", "timestamp", "iso8601", "date":
		return fieldTimeISO8601
	case "msec", "ts", "time_msec":
		return fieldMsec
	}
	return unused
}

// address finds a text that can only be an upstream's address: host and port, or a
// socket.
func address(rest []byte) []byte {
	for word := range bytes.FieldsSeq(rest) {
		word = bytes.Trim(word, `",;|[]()`)
		host, port, ok := bytes.Cut(word, []byte(":"))
		if bytes.HasPrefix(word, []byte("unix:/")) {
			return word
		}
		if ok && len(port) > 1 && len(port) <= 5 && isDigits(port) && bytes.Count(host, []byte(".")) == 3 && isDigits(bytes.ReplaceAll(host, []byte("."), nil)) {
			return word
		}
	}
	return nil
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

func between(line []byte, open, end byte) []byte {
	i := bytes.IndexByte(line, open)
	if i < 0 {
		return nil
	}
	j := bytes.IndexByte(line[i:], end)
	if j < 0 {
		return nil
	}
	return line[i+1 : i+j]
}

// splitJSON reads an object with a status, including the objects in it.
func splitJSON(line []byte, fields *[numFields][]byte) bool {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if d.Decode(&object) != nil {
		return false
	}
	jsonFields(object, fields, 0)
	return fields[fieldStatus] != nil
}

func jsonFields(object map[string]any, fields *[numFields][]byte, depth int) {
	for _, name := range slices.Sorted(maps.Keys(object)) { // several names may have the same meaning
		var text string
		switch v := object[name].(type) {
		case string:
			text = v
		case json.Number:
			text = v.String()
		case map[string]any:
			if depth < 2 {
				jsonFields(v, fields, depth+1)
			}
			continue
		default:
			continue
		}
		f := meaning([]byte(name))
		if f == fieldTimeISO8601 && strings.Contains(text, "/") {
			f = fieldTimeLocal
		}
		if f != unused && fields[f] == nil {
			fields[f] = []byte(text)
		}
	}
}
