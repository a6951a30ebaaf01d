package convert

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// health converts the health checks: httpchk to an HTTP check, tcp-check to a TCP check
// with steps, and check alone to the default check. Servers without check get the
// default check too, with a note.
func (h *fromHAProxy) health(s *haproxy.Section, p *pool, checked bool) {
	web, tcp := s.One("option", "httpchk"), s.One("option", "tcp-check")
	var parts []string
	switch {
	case !checked:
		h.note("", "backend "+s.Name, "its servers have no health check; goodgate adds its default one")
	case len(web.Words) > 0:
		parts = h.httpCheck(s, web)
	case len(tcp.Words) > 0:
		parts = h.tcpCheck(s)
	}
	if checked {
		parts = append(parts, h.checkTimes(s)...)
		if len(web.Words)+len(tcp.Words) > 0 {
			parts = append(parts, h.checkTarget(s)...)
		}
	}
	p.health = strings.Join(append(parts, h.agent(s)...), ", ")
}

// tracking converts "track BACKEND/SERVER": the pool takes the results of another
// pool's health checks.
func (h *fromHAProxy) tracking(s *haproxy.Section, p *pool) bool {
	text := h.ofServers(s, "track")
	if text == "" {
		return false
	}
	name, _, elsewhere := strings.Cut(text, "/")
	other := h.Find("backend", name)
	if !elsewhere || other == nil || other == s {
		h.note("", "backend "+s.Name+" track "+text, "left out, and goodgate checks these servers themselves: the file has no such backend")
		return false
	}
	h.reached[other] = true
	pool := h.pool(other)
	if pool == "" {
		h.note("", "backend "+s.Name+" track "+text, "left out, and goodgate checks these servers themselves: it cannot use any server of that backend")
		return false
	}
	p.name = freeName(h.file.pools, s.Name)
	p.health = "from: " + pool
	return true
}

// ofServers returns the value of a parameter that all servers must have in common,
// empty if they have none.
func (h *fromHAProxy) ofServers(s *haproxy.Section, name string) (value string) {
	for i, l := range serverLines(s) {
		own := l.After(name)
		if backend, _, found := strings.Cut(own, "/"); found && name == "track" {
			own = backend + "/" // each server may track one of its own
		}
		if i == 0 {
			value = own
		}
		if !sameSetting(name, own, value) {
			h.note(l.At(), "server "+l.Word(1)+" "+name, "differs between servers, but a pool has one value: goodgate uses %s for all", cmp.Or(value, "its default"))
			return value
		}
	}
	return value
}

// sameSetting reports whether two values of a server's parameter mean the same. An empty
// one is HAProxy's default.
func sameSetting(name, a, b string) bool {
	usual := map[string]string{"inter": "2s", "rise": "2", "fall": "3"}[name]
	a, b = cmp.Or(a, usual), cmp.Or(b, usual)
	first, isTime := haproxy.Duration(a)
	second, isTimeToo := haproxy.Duration(b)
	return a == b || name == "inter" && isTime && isTimeToo && first == second
}

// hasFlag reports whether a server has a parameter without a value.
func hasFlag(s *haproxy.Section, name string) bool {
	return slices.ContainsFunc(serverLines(s), func(l haproxy.Line) bool { return l.Has(name) && !l.Has("no-"+name) })
}

func (h *fromHAProxy) checkTimes(s *haproxy.Section) (parts []string) {
	if inter, ok := haproxy.Duration(h.ofServers(s, "inter")); ok {
		d := min(max(inter, 10*time.Millisecond), time.Hour)
		parts = append(parts, fmt.Sprintf("interval: %s, timeout: %s", d, min(d, cmp.Or(s.Timeout("check"), d), 10*time.Minute)))
	}
	for _, name := range []string{"rise", "fall"} {
		if n, err := strconv.Atoi(h.ofServers(s, name)); err == nil && n >= 1 && n <= 100 {
			parts = append(parts, fmt.Sprintf("%s: %d", name, n))
		}
	}
	return parts
}

// checkTarget converts the address that health checks go to.
func (h *fromHAProxy) checkTarget(s *haproxy.Section) (parts []string) {
	if port := h.ofServers(s, "port"); port != "" {
		if !isPort(port) {
			h.note("", "backend "+s.Name+" port", "left out: this is not a port")
		} else {
			parts = append(parts, "port: "+port)
		}
	}
	if hasFlag(s, "check-ssl") && !hasFlag(s, "ssl") {
		parts = append(parts, "scheme: https")
	}
	return parts
}

// httpCheck converts option httpchk and its http-check lines.
func (h *fromHAProxy) httpCheck(s *haproxy.Section, chk haproxy.Line) []string {
	method, path := "OPTIONS", cmp.Or(chk.Word(2), "/")
	if chk.Word(3) != "" {
		method, path = chk.Word(2), chk.Word(3)
	}
	var parts []string
	if send := s.One("http-check", "send"); len(send.Words) > 0 {
		method, path = cmp.Or(send.After("meth"), "GET"), cmp.Or(send.After("uri"), path)
		parts = h.checkFields(send)
	}
	parts = append(parts, h.checkSequence(s)...)
	expect, ok := h.httpExpect(s)
	if !ok || !slices.Contains([]string{"GET", "HEAD", "OPTIONS", "POST"}, method) || !isPath(strings.SplitN(path, "?", 2)[0]) {
		h.note(chk.At(), "option httpchk", "goodgate has no equivalent, so the health check only finds out whether the servers run")
		return nil
	}
	if method == http.MethodHead && strings.Contains(expect, "body") {
		method = http.MethodGet
	}
	return append([]string{"method: " + word(method), "path: " + quote(path), "expect: {" + expect + "}"}, parts...)
}

// checkSequence converts the address of http-check connect. It notes the steps that are
// left out, because goodgate's check sends one request.
func (h *fromHAProxy) checkSequence(s *haproxy.Section) (parts []string) {
	for _, kind := range []string{"connect", "send", "expect"} {
		list := s.All("http-check", kind)
		for _, l := range list[:max(len(list)-1, 0)] {
			h.note(l.At(), "http-check "+kind, "left out: goodgate's check sends one request, the last of the sequence")
		}
	}
	if l := s.One("http-check", "disable-on-404"); len(l.Words) > 0 {
		h.use(l)
		parts = append(parts, "drain_status: 404")
	}
	l := s.One("http-check", "connect")
	h.use(l)
	if port := l.After("port"); isPort(port) && h.ofServers(s, "port") == "" {
		parts = append(parts, "port: "+port)
	}
	if l.Has("ssl") && !hasFlag(s, "check-ssl") {
		parts = append(parts, "scheme: https")
	}
	for _, word := range []string{"addr", "sni", "alpn", "proto", "via-socks4", "send-proxy"} {
		if l.Has(word) {
			h.note(l.At(), "http-check connect "+word, "left out: goodgate has no equivalent")
		}
	}
	if send := s.One("http-check", "send"); send.Has("body") || send.Has("body-lf") || send.Has("uri-lf") {
		h.note(send.At(), "http-check send", "the body or the variable is left out: goodgate's check cannot send it")
	}
	return parts
}

// checkFields converts the headers of a check.
func (h *fromHAProxy) checkFields(send haproxy.Line) (parts []string) {
	fields := map[string]string{}
	for i := range send.Words {
		name, value := send.Word(i+1), send.Word(i+2)
		switch {
		case send.Words[i] != "hdr":
		case strings.EqualFold(name, "Host") && isName(value):
			parts = append(parts, "host: "+quote(value))
		case isField(name) && plainValue(value):
			fields[name] = value
		default:
			h.note(send.At(), "http-check send hdr "+name, "left out: goodgate cannot set this header")
		}
	}
	if len(fields) > 0 {
		parts = append(parts, "headers: "+mapping(fields))
	}
	return parts
}

// httpExpect converts http-check expect. ok is false if goodgate cannot express it.
func (h *fromHAProxy) httpExpect(s *haproxy.Section) (expect string, ok bool) {
	l := s.One("http-check", "expect")
	if len(l.Words) == 0 {
		return `status: "200-399"`, true
	}
	words := l.Words[2:]
	for len(words) > 2 && slices.Contains([]string{"min-recv", "comment", "ok-status", "error-status", "tout-status", "on-success", "on-error", "status-code"}, words[0]) {
		words = words[2:]
	}
	if len(words) < 2 || words[0] == "!" {
		return "", false
	}
	const anyStatus = `status: "100-599", `
	text := words[1]
	switch words[0] {
	case "status":
		var list []string
		for one := range strings.SplitSeq(text, ",") {
			if !isStatus(one) {
				return "", false
			}
			list = append(list, strconv.Quote(one))
		}
		if len(list) == 1 {
			return "status: " + list[0], true
		}
		return "status: [" + strings.Join(list, ", ") + "]", true
	case "string":
		return anyStatus + "body: " + quote(text), text != ""
	case "rstring":
		_, err := regexp.Compile(text)
		return anyStatus + "body_regexp: " + quote(text), err == nil && text != "" && len(text) <= 4096
	case "hdr", "fhdr":
		if len(words) == 5 && words[1] == "name" && words[3] == "value" && isField(words[2]) && plainValue(words[4]) {
			return anyStatus + "headers: " + mapping(map[string]string{words[2]: words[4]}), true
		}
	}
	return "", false
}

// tcpCheck converts the tcp-check lines to steps.
func (h *fromHAProxy) tcpCheck(s *haproxy.Section) []string {
	var steps []string
	pending := ""
	flush := func() {
		if pending != "" {
			steps = append(steps, "{"+pending+"}")
		}
		pending = ""
	}
	for _, l := range s.All("tcp-check") {
		key, value, ok := tcpStep(l)
		switch {
		case key == "":
			if !ok {
				h.note(l.At(), strings.Join(l.Words[:min(len(l.Words), 3)], " "), "goodgate has no equivalent, so the health check only connects to the servers")
				return []string{"type: tcp"}
			}
		case key == "send":
			flush()
			pending = "send: " + quote(value)
		case strings.Contains(pending, "expect"):
			flush()
			pending = key + ": " + quote(value)
		default:
			pending = strings.TrimPrefix(pending+", "+key+": "+quote(value), ", ")
		}
	}
	flush()
	if len(steps) == 0 {
		return []string{"type: tcp"}
	}
	return []string{"type: tcp", "steps: [" + strings.Join(steps, ", ") + "]"}
}

// tcpStep converts a tcp-check line. ok is true with an empty key for a line that needs
// no step.
func tcpStep(l haproxy.Line) (key, value string, ok bool) {
	kind, text := l.Word(1), l.Word(len(l.Words)-1)
	isHex := func(s string) bool { b, err := hex.DecodeString(s); return err == nil && len(b) > 0 }
	switch {
	case kind == "connect" && len(l.Words) == 2, kind == "comment":
		return "", "", true
	case kind == "send" && len(l.Words) == 3 && text != "" && !strings.HasPrefix(text, "hex:"):
		return "send", text, true
	case kind == "send-binary" && len(l.Words) == 3 && isHex(text):
		return "send", "hex:" + text, true
	case kind != "expect" || len(l.Words) != 4 || text == "":
		return "", "", false
	case l.Word(2) == "string" && !strings.HasPrefix(text, "hex:"):
		return "expect", text, true
	case l.Word(2) == "binary" && isHex(text):
		return "expect", "hex:" + text, true
	case l.Word(2) == "rstring" && len(text) <= 4096:
		if _, err := regexp.Compile(text); err == nil {
			return "expect_regexp", text, true
		}
	}
	return "", "", false
}

// agent converts agent-check.
func (h *fromHAProxy) agent(s *haproxy.Section) []string {
	if !hasFlag(s, "agent-check") {
		return nil
	}
	port := h.ofServers(s, "agent-port")
	if !isPort(port) {
		h.note("", "backend "+s.Name+" agent-check", "left out: it has no agent-port")
		return nil
	}
	agent := "port: " + port
	if d, ok := haproxy.Duration(h.ofServers(s, "agent-inter")); ok {
		agent += fmt.Sprintf(", interval: %s", min(max(d, 10*time.Millisecond), time.Hour))
	}
	if send := h.ofServers(s, "agent-send"); send != "" && !strings.HasPrefix(send, "hex:") {
		agent += ", send: " + quote(send)
	}
	return []string{"agent: {" + agent + "}"}
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 65535
}
