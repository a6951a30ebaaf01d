package nginxlog

import (
	"bytes"
	"fmt"
	"strings"
)

// Combined is nginx's own format, the default.
const Combined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`

// Format is a parsed log_format of nginx.
type Format struct{ parts []part }

// part is a variable, and the text between it and the next one.
type part struct {
	field field // the tally's field for the variable
	after []byte
}

type field uint8

const (
	unused field = iota
	fieldStatus
	fieldRequest
	fieldTime        // duration of the whole request, in seconds
	fieldUpstream    // addresses of all attempts
	fieldUpstreamT   // response times of all attempts
	fieldTimeLocal   // 02/Jan/2006:15:04:05 -0700
	fieldTimeISO8601 // 2006-01-02T15:04:05-07:00
	fieldMsec        // seconds since 1970
	numFields
)

// NewFormat parses the text of a log_format. It returns an error for a format without
// $status.
func NewFormat(text string) (*Format, error) {
	f := &Format{}
	status := false
	literal, rest, more := strings.Cut(text, "$")
	if literal != "" { // text before the first variable
		f.parts = append(f.parts, part{after: []byte(literal)})
	}
	for more {
		name := rest[:nameLength(rest)]
		brace := strings.HasPrefix(rest, "{")
		if brace {
			name, rest, _ = strings.Cut(rest[1:], "}")
		} else {
			rest = rest[len(name):]
		}
		literal, rest, more = strings.Cut(rest, "$")
		p := part{field: fieldOf(name), after: []byte(literal)}
		status = status || p.field == fieldStatus
		f.parts = append(f.parts, p)
	}
	if !status {
		return nil, fmt.Errorf("log format %q has no $status", text)
	}
	return f, nil
}

func nameLength(s string) int {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return i
		}
	}
	return len(s)
}

func fieldOf(name string) field {
	switch name {
	case "status":
		return fieldStatus
	case "msec":
		return fieldMsec
	case "request", "request_uri", "uri":
		return fieldRequest
	case "request_time":
		return fieldTime
	case "upstream_addr":
		return fieldUpstream
	case "upstream_response_time":
		return fieldUpstreamT
	case "time_local":
		return fieldTimeLocal
	case "time_iso8601":
		return fieldTimeISO8601
	}
	return unused
}

// split fills fields from a line. It reports whether the line has the format.
func (f *Format) split(line []byte, fields *[numFields][]byte) bool {
	for _, p := range f.parts {
		end := len(line)
		if len(p.after) > 0 {
			end = f.end(line, p)
			if end < 0 {
				return false
			}
		}
		if p.field != unused {
			fields[p.field] = line[:end]
		}
		line = line[min(end+len(p.after), len(line)):]
	}
	return true
}

// end returns the end of a variable's value. Values about upstreams contain ", " and "
// : " between attempts, so a space alone does not end them.
func (f *Format) end(line []byte, p part) int {
	from := 0
	for {
		i := bytes.Index(line[from:], p.after)
		if i < 0 {
			return -1
		}
		i += from
		if p.field != fieldUpstream && p.field != fieldUpstreamT || p.after[0] != ' ' {
			return i
		}
		rest := line[i:]
		if i > 0 && (line[i-1] == ',' || line[i-1] == ':') || bytes.HasPrefix(rest, []byte(" : ")) {
			from = i + 1
			continue
		}
		return i
	}
}
