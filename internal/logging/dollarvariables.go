package logging

import (
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// dollarPrefixes are nginx's variables that end with a name, with underscores for the
// hyphens of a field.
var dollarPrefixes = []struct {
	prefix string
	add    func(*compiler, string)
}{
	{"upstream_http_", func(c *compiler, name string) { c.upstreamHeader(strings.ReplaceAll(name, "_", "-")) }},
	{"sent_http_", func(c *compiler, name string) { c.sentHeader(strings.ReplaceAll(name, "_", "-")) }},
	{"http_", func(c *compiler, name string) {
		name = strings.ReplaceAll(name, "_", "-")
		c.named(name, func(r *proxy.Record) string { return fieldOf(r, name) })
	}},
	{"cookie_", func(c *compiler, name string) {
		c.named(name, func(r *proxy.Record) string { v, _ := r.Request.Cookie(name); return v })
	}},
	{"arg_", func(c *compiler, name string) {
		v := mustBrace("query:" + name)
		c.named(name, func(r *proxy.Record) string { return string(v(nil, r)) })
	}},
}

// dollar adds a variable of nginx, or one of goodgate's own fields.
func (c *compiler) dollar(name string) error {
	for _, p := range dollarPrefixes {
		if rest, ok := strings.CutPrefix(name, p.prefix); ok && rest != "" {
			p.add(c, rest)
			return nil
		}
	}
	names := dollarNames(c.redactor)
	if v, ok := names[name]; ok {
		c.value(v)
		return nil
	}
	known := slices.Sorted(maps.Keys(names))
	for _, p := range dollarPrefixes {
		known = append(known, p.prefix+"NAME")
	}
	return unknown(name, "$%s", known)
}

// dollarNames returns nginx's variables of a request, its upstreams and TLS, and
// goodgate's own variables.
func dollarNames(d redactor) map[string]value {
	all := map[string]value{
		"remote_addr": appendClient, "remote_port": mustBrace("client_port"), "remote_user": words(func(r *proxy.Record) string { return user(r.Request) }),
		"realip_remote_addr": words(peerAddress),
		"time_local":         timeAs(timeLocal),
		"time_iso8601":       timeAs("2006-01-02T15:04:05-07:00"),
		"msec": func(b []byte, r *proxy.Record) []byte {
			return appendSeconds(b, time.Duration(r.Start.Add(r.Duration).UnixMilli())*time.Millisecond)
		},
		"request": func(b []byte, r *proxy.Record) []byte {
			b = append(append(b, r.Method...), ' ')
			return append(append(d.appendURI(b, r.Request.RequestURI), ' '), r.Proto...)
		},
		"request_method": mustBrace("method"), "server_protocol": mustBrace("protocol"), "scheme": mustBrace("scheme"), "request_id": mustBrace("request_id"),
		"request_uri":  func(b []byte, r *proxy.Record) []byte { return d.appendURI(b, r.Request.RequestURI) },
		"uri":          words(func(r *proxy.Record) string { return r.Path }),
		"document_uri": words(func(r *proxy.Record) string { return r.Path }),
		"args":         func(b []byte, r *proxy.Record) []byte { return d.appendQuery(b, r.Request.URL.RawQuery) },
		"query_string": func(b []byte, r *proxy.Record) []byte { return d.appendQuery(b, r.Request.URL.RawQuery) },
		"is_args": words(func(r *proxy.Record) string {
			if r.Request.URL.RawQuery == "" {
				return ""
			}
			return "?"
		}),
		"host": words(func(r *proxy.Record) string { return strings.ToLower(withoutPort(r.Host)) }), "server_name": mustBrace("hostname"),
		"hostname": words(machine()), "pid": words(func(*proxy.Record) string { return strconv.Itoa(os.Getpid()) }),
		"server_addr":        words(func(r *proxy.Record) string { host, _ := localAddress(r); return host }),
		"server_port":        words(func(r *proxy.Record) string { _, port := localAddress(r); return port }),
		"status":             appendStatus,
		"body_bytes_sent":    func(b []byte, r *proxy.Record) []byte { return strconv.AppendInt(b, r.Sent, 10) },
		"bytes_sent":         func(b []byte, r *proxy.Record) []byte { return strconv.AppendInt(b, r.Sent, 10) },
		"content_length":     words(func(r *proxy.Record) string { return r.Request.Field("Content-Length") }),
		"content_type":       words(func(r *proxy.Record) string { return r.Request.Field("Content-Type") }),
		"request_length":     func(b []byte, r *proxy.Record) []byte { return strconv.AppendInt(b, requestLength(r), 10) },
		"request_time":       func(b []byte, r *proxy.Record) []byte { return appendSeconds(b, r.Duration) },
		"request_completion": words(completion), "pipe": words(func(*proxy.Record) string { return "." }),
		"proxy_host": mustBrace("pool"), "route": mustBrace("route"), "pool": mustBrace("pool"), "upstream": mustBrace("upstream"),
		"proxy_add_x_forwarded_for": words(forwardedFor),
	}
	maps.Copy(all, upstreamNames())
	maps.Copy(all, tlsDollars())
	maps.Copy(all, ownNames())
	return all
}

// ownNames returns the fields of the other formats that nginx does not have.
func ownNames() map[string]value {
	return map[string]value{
		"reason": words(func(r *proxy.Record) string {
			if r.Reason == reason.None {
				return ""
			}
			return r.Reason.String()
		}),
		"absorbed_by": words(func(r *proxy.Record) string {
			if r.Absorbed == reason.ByNothing {
				return ""
			}
			return r.Absorbed.String()
		}),
		"hidden": words(func(r *proxy.Record) string {
			if r.Hidden == reason.None {
				return ""
			}
			return r.Hidden.String()
		}),
		"saved_by": words(func(r *proxy.Record) string { return r.SavedBy }),
		"fallback": words(func(r *proxy.Record) string { return r.Fallback }),
		"trace_id": words(func(r *proxy.Record) string { return r.Trace }),
		"attempts": func(b []byte, r *proxy.Record) []byte {
			return strconv.AppendInt(b, int64(len(r.Attempts)+r.Omitted), 10)
		},
		"held_time":   waited(func(r *proxy.Record) time.Duration { return r.Held }),
		"queued_time": waited(func(r *proxy.Record) time.Duration { return r.Queued }),
		"paused_time": waited(func(r *proxy.Record) time.Duration { return r.Paused }),
	}
}

func waited(of func(*proxy.Record) time.Duration) value {
	return func(b []byte, r *proxy.Record) []byte { return appendSeconds(b, of(r)) }
}

// appendSeconds appends a duration in nginx's form: seconds with milliseconds.
func appendSeconds(b []byte, d time.Duration) []byte {
	ms := d.Milliseconds()
	b = strconv.AppendInt(b, ms/1000, 10)
	ms %= 1000
	return append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

func timeAs(layout string) value {
	return func(b []byte, r *proxy.Record) []byte { return r.Start.Add(r.Duration).AppendFormat(b, layout) }
}

func appendStatus(b []byte, r *proxy.Record) []byte {
	if r.Status < 100 {
		return append(b, "000"...)
	}
	return strconv.AppendInt(b, int64(r.Status), 10)
}

func completion(r *proxy.Record) string {
	if r.Reason != reason.None {
		return ""
	}
	return "OK"
}

// requestLength returns the size of the request's line, fields and body, without fields
// that goodgate has removed.
func requestLength(r *proxy.Record) int64 {
	n := len(r.Method) + len(r.Request.RequestURI) + len(r.Proto) + len("  \r\n\r\n")
	field := func(name, v string) { n += len(name) + len(v) + len(": \r\n") }
	if h := r.Request.Head; h != nil {
		for i := range h.Fields {
			field(h.Fields[i].Name, h.Fields[i].Value)
		}
	} else {
		field("Host", r.Host)
		for name, values := range r.Request.HTTP().Header {
			for _, v := range values {
				field(name, v)
			}
		}
	}
	return int64(n) + r.Received
}

func forwardedFor(r *proxy.Record) string {
	before := fieldOf(r, "X-Forwarded-For")
	if before != "" {
		before += ", "
	}
	return before + peerAddress(r)
}

// peerAddress returns the address of the connection, which a proxy in front may have
// opened.
func peerAddress(r *proxy.Record) string {
	host, _, err := net.SplitHostPort(r.Request.RemoteAddr)
	if err != nil {
		return "unix:"
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return host
}

func localAddress(r *proxy.Record) (host, port string) {
	local := r.Request.LocalAddr()
	if local == nil {
		return "", ""
	}
	if host, port, err := net.SplitHostPort(local.String()); err == nil {
		return host, port
	}
	return "unix:" + local.String(), ""
}

func machine() func(*proxy.Record) string {
	name, _ := os.Hostname()
	return func(*proxy.Record) string { return name }
}

// upstreamNames returns nginx's variables about upstreams, with a value for each
// attempt.
func upstreamNames() map[string]value {
	return map[string]value{
		"upstream_addr": eachAttempt(func(b []byte, r *proxy.Record, i int) []byte { return append(b, r.Attempts[i].Upstream...) }),
		"upstream_status": eachAttempt(func(b []byte, r *proxy.Record, i int) []byte {
			status := r.Attempts[i].Status
			if status == 0 && r.Attempts[i].Reason != reason.None {
				status = http.StatusBadGateway // like nginx without an answer
			}
			if status == 0 {
				return b
			}
			return strconv.AppendInt(b, int64(status), 10)
		}),
		"upstream_header_time": eachAttempt(func(b []byte, r *proxy.Record, i int) []byte {
			if r.Attempts[i].Status == 0 {
				return b
			}
			return appendSeconds(b, r.Attempts[i].Took)
		}),
		"upstream_response_time": eachAttempt(func(b []byte, r *proxy.Record, i int) []byte {
			if answered(r, i) {
				return appendSeconds(b, r.Duration-r.Attempts[i].After)
			}
			return appendSeconds(b, r.Attempts[i].Took)
		}),
		"upstream_bytes_sent":     eachAttempt(func(b []byte, r *proxy.Record, i int) []byte { return strconv.AppendInt(b, r.Attempts[i].Sent, 10) }),
		"upstream_bytes_received": eachAttempt(func(b []byte, r *proxy.Record, i int) []byte { return strconv.AppendInt(b, upstreamReceived(r, i), 10) }),
		"upstream_response_length": eachAttempt(func(b []byte, r *proxy.Record, i int) []byte {
			return strconv.AppendInt(b, upstreamReceived(r, i)-r.Attempts[i].Received, 10)
		}),
		"upstream_cache_status": words(func(r *proxy.Record) string {
			if r.Cache == 0 {
				return ""
			}
			return strings.ToUpper(r.Cache.String())
		}),
	}
}

// upstreamReceived returns the bytes received in an attempt, with the body that the
// client got.
func upstreamReceived(r *proxy.Record, i int) int64 {
	n := r.Attempts[i].Received
	if answered(r, i) {
		n += r.Sent
	}
	return n
}
