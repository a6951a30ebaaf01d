package proxylog

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// readTraefik parses Traefik's own log as text, of version 2 (time="..." level=debug
// msg="...") and 3 ("2026-03-01T12:00:00Z ERR ... error="..."), and its access log in
// the common log format with four more fields.
func readTraefik(line []byte) (e event, ok bool) {
	e.proxy = "Traefik"
	if len(line) < 5 || line[3] != ' ' && !bytes.HasPrefix(line, []byte(`time="`)) {
		return readTraefikAccess(line)
	}
	text := string(line)
	if strings.HasPrefix(text, `time="`) {
		pairs := logfmt(text)
		if pairs["level"] == "" {
			return e, false
		}
		e.at, e.backend = parseTime(pairs["time"]), pairs["serviceName"]
		e.unsure = !named(pairs)
		e.goMessage(pairs["msg"], pairs["error"], pairs["level"])
		return e, true
	}
	if level, rest, ok := strings.Cut(text, " "); ok && len(level) == 3 && strings.Contains("TRC DBG INF WRN ERR FTL PNC", level) {
		message, _, _ := strings.Cut(rest, " error=")
		pairs := logfmt(rest)
		e.backend = pairs["serviceName"]
		e.unsure = !named(pairs) && !strings.Contains(rest, "traefik")
		e.goMessage(message, pairs["error"], level)
		return e, true
	}
	return readTraefikAccess(line)
}

// named reports whether a line contains a name that only Traefik uses.
func named(pairs map[string]string) bool {
	for _, name := range []string{"entryPointName", "routerName", "serviceName", "providerName", "middlewareName", "middlewareType"} {
		if pairs[name] != "" {
			return true
		}
	}
	return false
}

// logfmt parses key=value pairs, with or without quotes around values.
func logfmt(text string) map[string]string {
	pairs := map[string]string{}
	for len(text) > 0 && len(pairs) < 64 {
		name, rest, ok := strings.Cut(text, "=")
		if !ok {
			return pairs
		}
		if i := strings.LastIndexByte(name, ' '); i >= 0 {
			name = name[i+1:]
		}
		value := ""
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return pairs
			}
			value, _ = strconv.Unquote(quoted)
			rest = rest[len(quoted):]
		} else {
			value, rest, _ = strings.Cut(rest, " ")
		}
		pairs[name], text = value, rest
	}
	return pairs
}

// readTraefikAccess parses `... "request" status size "referrer" "agent" count "router"
// "http://server" 3ms`.
func readTraefikAccess(line []byte) (e event, ok bool) {
	e.proxy = "Traefik"
	if !bytes.HasSuffix(line, []byte("ms")) || bytes.Count(line, []byte(`"`)) != 10 {
		return e, false
	}
	parts := strings.Split(string(line), `"`)
	numbers := strings.Fields(parts[2])
	ms, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(parts[10]), "ms"), 64)
	if err != nil || len(numbers) == 0 || !isCode(numbers[0]) {
		return e, false
	}
	e.status, _ = strconv.Atoi(numbers[0])
	e.method, e.path = splitRequest(parts[1])
	e.at = parseCommonTime(string(between(line, '[', ']')))
	e.took = ms / 1000
	if parts[9] != "-" {
		e.upstream = parts[9]
	}
	return e, true
}

// readCaddyConsole parses Caddy's console format: time, level, logger, message and an
// object, separated by tabs.
func readCaddyConsole(line []byte) (e event, ok bool) {
	if len(line) < 19 || line[4] != '/' {
		return e, false
	}
	parts := bytes.SplitN(line, []byte("\t"), 5)
	if len(parts) < 3 || len(parts[0]) < 19 {
		return e, false
	}
	level := strings.ToLower(string(parts[1]))
	switch level {
	case "debug", "info", "warn", "error", "panic", "fatal":
	default:
		return e, false
	}
	o := object{}
	if len(parts) == 5 {
		d := json.NewDecoder(bytes.NewReader(parts[4]))
		d.UseNumber()
		if d.Decode(&o) != nil {
			o = object{}
		}
	}
	o["level"], o["logger"], o["ts"] = level, string(parts[2]), string(parts[0])
	if len(parts) > 3 {
		o["msg"] = string(parts[3])
	}
	return o.caddy(), true
}
