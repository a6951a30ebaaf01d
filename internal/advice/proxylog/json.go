package proxylog

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
	"github.com/goodgate/goodgate/reason"
)

// object is a JSON log record.
type object map[string]any

func (o object) text(names ...string) string {
	for _, n := range names {
		switch v := o[n].(type) {
		case string:
			if v != "" && v != "-" {
				return v
			}
		case json.Number:
			return v.String()
		}
	}
	return ""
}

func (o object) number(names ...string) float64 {
	n := json.Number(o.text(names...))
	f, _ := n.Float64()
	return f
}

func (o object) within(name string) object {
	m, _ := o[name].(map[string]any)
	return m
}

func (o object) has(names ...string) bool {
	for _, n := range names {
		if _, ok := o[n]; ok {
			return true
		}
	}
	return false
}

// readJSON parses a JSON record of any known proxy.
func readJSON(line []byte) (e event, ok bool) {
	var o object
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if d.Decode(&o) != nil {
		return e, false
	}
	switch {
	case o.has("response_flags", "response_code_details", "upstream_cluster"):
		return o.envoy(), true
	case o.has("DownstreamStatus", "OriginStatus", "RouterName"):
		return o.traefikAccess(), true
	case o.has("level") && o.has("ts") && o.has("msg"):
		return o.caddy(), true
	case o.has("reason") && o.has("status", "pool", "route", "attempts"):
		return o.goodgate(), true
	case o.has("level") && o.has("message", "msg", "error") && !o.has("status"):
		return o.traefik(), true
	}
	return e, false
}

func (o object) envoy() event {
	e := event{
		proxy: "Envoy", at: parseTime(o.text("start_time", "time", "timestamp")), status: int(o.number("response_code", "status")), took: o.number("duration") / 1000,
		method: o.text("method"), path: o.text("path", "x-envoy-original-path"), backend: o.text("upstream_cluster"),
		text: o.text("response_code_details") + " " + strings.ReplaceAll(o.text("upstream_transport_failure_reason"), " ", "_"),
	}
	if host := strings.TrimPrefix(o.text("upstream_host"), "tcp://"); host != "" {
		e.upstream = "http://" + host
	}
	e.flags(o.text("response_flags"))
	return e
}

func (o object) traefikAccess() event {
	e := event{
		proxy: "Traefik", at: parseTime(o.text("StartUTC", "time")), status: int(o.number("DownstreamStatus", "OriginStatus")), took: o.number("Duration") / 1e9,
		method: o.text("RequestMethod"), path: o.text("RequestPath"), backend: o.text("ServiceName"),
	}
	if addr := o.text("ServiceAddr"); addr != "" {
		e.upstream = "http://" + addr
	}
	return e
}

// traefik evaluates a record of Traefik's own log. It looks only for failed requests,
// failed checks and errors in the configuration.
func (o object) traefik() event {
	e := event{proxy: "Traefik", at: parseTime(o.text("time")), backend: o.text("serviceName")}
	e.unsure = !o.has("entryPointName", "routerName", "serviceName", "providerName", "middlewareName", "middlewareType")
	e.goMessage(o.text("message", "msg"), o.text("error"), o.text("level"))
	return e
}

// goMessage evaluates a message of Traefik's.
func (e *event) goMessage(message, err, level string) {
	if _, cause, ok := strings.Cut(message, "' caused by: "); ok { // version 2
		e.match = cause
	} else if strings.Contains(message, "502 Bad Gateway") || strings.Contains(message, "504 Gateway Timeout") || strings.Contains(message, "500 Internal Server Error") {
		e.match = err
	} else if level == "error" || level == "warning" || level == "warn" || level == "ERR" || level == "WRN" {
		e.match = strings.TrimSpace(message + " " + err)
		if !telling(e.match) {
			e.match = ""
		}
	}
	e.dialled()
}

// telling reports whether an error of Traefik's is about requests or their destination,
// unlike many others.
func telling(s string) bool {
	for _, word := range []string{"no available server", "ealth check", "port is missing", "IP address", "does not exist", "field not found", "dial tcp", "reverse proxy", "upstream"} {
		if strings.Contains(s, word) {
			return true
		}
	}
	return false
}

// dialled extracts the upstream from "dial tcp 10.0.0.1:80: connect: ...".
func (e *event) dialled() {
	if e.upstream != "" {
		return
	}
	for _, before := range []string{"dial tcp ", "->"} {
		if _, rest, ok := strings.Cut(e.match, before); ok {
			addr, _, _ := strings.Cut(rest, ": ")
			if host, port, ok := cutPort(addr); ok && host != "" && isNumber(port) {
				e.upstream = "http://" + addr
			}
			return
		}
	}
	if _, rest, ok := strings.Cut(e.match, "dial unix "); ok {
		path, _, _ := strings.Cut(rest, ": ")
		e.upstream = "unix:" + path
	}
	if _, rest, ok := strings.Cut(e.match, "lookup "); ok {
		e.upstream, _, _ = strings.Cut(rest, " ")
		e.upstream = strings.TrimSuffix(e.upstream, ":")
	}
}

// caddy evaluates a record of Caddy's: a request (http.log.access), an error answer
// (http.log.error), or a handler's message.
func (o object) caddy() event {
	logger, request := o.text("logger"), object(o.within("request"))
	e := event{
		proxy: "Caddy", method: request.text("method"), path: request.text("uri"), took: o.number("duration"),
		unsure: !strings.HasPrefix(logger, "http") && !strings.HasPrefix(logger, "tls") && logger != "admin",
	}
	if e.at = parseTime(o.text("ts")); e.at.IsZero() {
		if ts := o.number("ts"); ts > 0 {
			e.at = time.UnixMicro(int64(ts * 1e6))
		}
	}
	if up := o.text("upstream", "dial", "host"); up != "" {
		e.upstream = "http://" + up
	}
	switch level := o.text("level"); {
	case strings.HasPrefix(logger, "http.log.access"):
		e.status = int(o.number("status"))
	case !strings.HasPrefix(logger, "http"), level == "info", level == "debug" && o.text("error") == "":
	case o.text("error") != "":
		e.match, e.text = o.text("error"), o.text("msg")
		if strings.Contains(e.text, "health") || strings.Contains(logger, "health") || strings.Contains(e.text, "incomplete response") && !strings.Contains(e.match, "context canceled") {
			e.match, e.text = e.text, e.match
		}
	default:
		e.match = o.text("msg")
	}
	if e.status == 0 && o.number("status") < 500 && strings.HasPrefix(logger, "http.log.error") {
		e.match = "" // a handler's intended answer
	}
	e.dialled()
	return e
}

// goodgate evaluates a request in goodgate's own log.
func (o object) goodgate() event {
	e := event{
		proxy: "goodgate", at: parseTime(o.text("time")), status: int(o.number("status")), method: o.text("method"), path: o.text("path", "uri", "target"),
		backend: o.text("pool"), took: o.number("duration_ms") / 1000,
	}
	if up := o.text("upstream"); up != "" {
		e.upstream = "http://" + strings.TrimPrefix(up, "http://")
	}
	if r := o.text("reason"); r != "" && r != "none" && e.status >= 500 {
		e.match = r
	}
	return e
}

// goodgateRows returns one row for each reason, except those caused by clients.
func goodgateRows() []Row {
	var rows []Row
	for _, r := range reason.All() {
		if r == reason.None || r.Fault() == reason.FaultClient {
			continue
		}
		rows = append(rows, Row{
			Proxy: "goodgate", Match: r.String(), Cause: nginxlog.Goodgate, Means: r.Text() + " (docs/502.md has the causes)", Do: "look at one of them", Directive: "goodgate why ID",
			Example: `{"time":"2026-03-01T12:00:00Z","level":"INFO","msg":"request","status":502,"pool":"app","upstream":"10.0.0.1:3000","reason":"` + r.String() + `"}`,
		})
	}
	return rows
}

// parseTime parses a time with its zone; zero if it is invalid.
func parseTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006/01/02 15:04:05.999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}
