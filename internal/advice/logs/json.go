package logs

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// wrapped is a JSON object that a container runtime or a collector puts around a line.
type wrapped struct {
	Log      *string         `json:"log"`           // Docker's json-file, Fluent Bit
	Journal  json.RawMessage `json:"MESSAGE"`       // journalctl -o json: a string, or an array of bytes
	Payload  *string         `json:"textPayload"`   // Google Cloud
	Message  json.RawMessage `json:"message"`       // CloudWatch, Logstash, Vector
	Short    *string         `json:"short_message"` // GELF
	Line     *string         `json:"line"`          // Loki
	Raw      *string         `json:"_raw"`          // Splunk
	Data     json.RawMessage `json:"data"`          // Nomad
	Result   json.RawMessage `json:"result"`        // Splunk's, around a record
	Source   json.RawMessage `json:"_source"`       // Elasticsearch's
	Content  json.RawMessage `json:"content"`       // Datadog's
	GCP      json.RawMessage `json:"jsonPayload"`   // Google Cloud's
	Time     string          `json:"time"`
	Stamp    any             `json:"timestamp"`
	Elastic  string          `json:"@timestamp"`
	RealTime string          `json:"__REALTIME_TIMESTAMP"` // microseconds since 1970
}

// json extracts a line from the object around it. It leaves an object that is a record
// itself.
func (e *Envelope) json(text []byte) (rest []byte, at time.Time, ok bool) {
	if !hasAny(text, `"log"`, `"MESSAGE"`, `"textPayload"`, `"message"`, `"line"`, `"short_message"`, `"_raw"`, `"data"`, `"jsonPayload"`) {
		return nil, at, false
	}
	var w wrapped
	if json.Unmarshal(text, &w) != nil {
		return nil, at, false
	}
	switch {
	case w.Log != nil:
		e.inner = append(e.inner[:0], *w.Log...)
	case len(w.Journal) > 0:
		e.inner = append(e.inner[:0], journal(w.Journal)...)
	case w.Short != nil:
		e.inner = append(e.inner[:0], *w.Short...)
	case w.Payload != nil:
		e.inner = append(e.inner[:0], *w.Payload...)
	case w.Raw != nil:
		e.inner = append(e.inner[:0], *w.Raw...)
	default:
		if !e.guess(w) && !e.within(w) {
			return nil, at, false
		}
	}
	return e.inner, w.at(), true
}

// within extracts an object from the object around it.
func (e *Envelope) within(w wrapped) bool {
	for _, raw := range []json.RawMessage{w.Source, w.Result, w.GCP, w.Content} {
		if len(raw) > 0 && raw[0] == '{' {
			e.inner = append(e.inner[:0], raw...)
			return true
		}
	}
	return false
}

// guess handles keys that a proxy's own record may also have: their value must be a
// line by itself.
func (e *Envelope) guess(w wrapped) bool {
	var s string
	switch {
	case w.Line != nil:
		s = *w.Line
	case json.Unmarshal(w.Message, &s) == nil:
	case json.Unmarshal(w.Data, &s) != nil:
		return false
	}
	e.inner = append(e.inner[:0], s...)
	inner := bytes.TrimSpace(e.inner)
	_, afterPrefix := beforeErrorLine(inner)
	return IsErrorLine(inner) || afterPrefix || bytes.HasPrefix(inner, []byte("{")) || hasAny(inner, ` HTTP/1.1" `, ` HTTP/2.0" `, ` HTTP/1.0" `, ` HTTP/2" `)
}

func hasAny(text []byte, words ...string) bool {
	for _, w := range words {
		if bytes.Contains(text, []byte(w)) {
			return true
		}
	}
	return false
}

// journal decodes a field of journald. Fields that are not printable are arrays of
// bytes.
func journal(raw json.RawMessage) []byte {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []byte(s)
	}
	var numbers []uint16
	if json.Unmarshal(raw, &numbers) != nil {
		return nil
	}
	b := make([]byte, len(numbers))
	for i, n := range numbers {
		b[i] = byte(n)
	}
	return b
}

func (w wrapped) at() time.Time {
	if us, err := strconv.ParseInt(w.RealTime, 10, 64); err == nil {
		return time.UnixMicro(us)
	}
	for _, s := range []any{w.Time, w.Elastic, w.Stamp} {
		switch v := s.(type) {
		case string:
			if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
				return t
			}
		case float64: // CloudWatch: milliseconds
			if v > 1e12 && v < 1e13 {
				return time.UnixMilli(int64(v))
			}
		}
	}
	return time.Time{}
}
