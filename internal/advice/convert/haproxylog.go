package convert

import (
	"cmp"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/haproxy"
	"github.com/goodgate/goodgate/internal/logging"
)

// logs converts the log targets of the frontends, and their log-format.
func (h *fromHAProxy) logs() {
	var all []haproxy.Line
	format := haproxy.Line{}
	for _, s := range h.Sections {
		switch {
		case s.Kind == "global":
			all = append(s.All("log"), all...)
		case s.Kind == "frontend" || s.Kind == "listen" || s.Kind == "defaults":
			if l := s.One("log-format"); len(l.Words) > 0 && len(format.Words) == 0 {
				format = l
			} else if len(l.Words) > 0 && l.Word(1) != format.Word(1) {
				h.note(l.At(), "log-format", "left out: convert uses the first log-format. For several, set log.outputs, and choose among them with log of a route")
			}
			all = append(all, slices.DeleteFunc(s.All("log"), func(l haproxy.Line) bool { return l.Word(1) == "global" })...)
		}
	}
	l := &h.file.log
	if len(all) > 0 {
		h.logTo(all[0], l)
	}
	for _, s := range h.Sections {
		if tag := s.One("log-tag").Word(1); tag != "" && l.facility != "" && isToken(tag) {
			l.app = tag
		}
	}
	for _, other := range all[min(1, len(all)):] {
		h.note(other.At(), "log "+other.Word(1), "left out: convert uses the first log. For more outputs, set log.outputs")
	}
	if len(format.Words) == 0 {
		return
	}
	text, unknown := logLine(format.Word(1))
	if unknown != "" {
		unknown = "goodgate has no equivalent of " + unknown
	}
	if _, err := (logging.Options{Format: text}).Check(); err != nil && unknown == "" {
		unknown = err.Error()
	}
	if unknown != "" || !strings.Contains(text, "$") {
		h.note(format.At(), "log-format", "left out, and goodgate uses its own format: %s", cmp.Or(unknown, "this one has no variable"))
		return
	}
	l.format = text
}

// logTo converts "log ADDRESS [len N] [format F] FACILITY [LEVEL]".
func (h *fromHAProxy) logTo(d haproxy.Line, l *accessLog) {
	address := strings.TrimPrefix(strings.TrimPrefix(d.Word(1), "udp@"), "ipv4@")
	words := d.Words[min(2, len(d.Words)):]
	for len(words) > 1 && slices.Contains([]string{"len", "format", "sample", "profile"}, words[0]) {
		words = words[2:]
	}
	facility := first(words)
	if !slices.Contains(facilities, facility) {
		facility = "local0"
	}
	switch {
	case address == "stdout" || address == "stderr":
		l.output = address
	case strings.HasPrefix(address, "/") && isPath(address):
		l.output, l.facility, l.app = "syslog+unix://"+address, facility, "haproxy"
	default:
		if host, _, err := net.SplitHostPort(address); err != nil || host == "" {
			address = net.JoinHostPort(strings.Trim(strings.TrimSuffix(address, ":"), "[]"), "514")
		}
		if !isUpstream("http://" + address) {
			h.note(d.At(), "log "+d.Word(1), "left out: goodgate cannot log to this address. Set log.output instead")
			return
		}
		l.output, l.facility, l.app = "syslog+udp://"+address, facility, "haproxy"
	}
}

var facilities = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

// logAlias maps HAProxy's log variables to those of goodgate's log format.
var logAlias = map[string]string{
	"%ci": "$remote_addr", "%cp": "$remote_port", "%fp": "$server_port", "%ST": "$status", "%B": "$bytes_sent", "%U": "$request_length", "%HM": "$request_method", "%HU": "$request_uri",
	"%HP": "$uri", "%HQ": "$is_args$args", "%HV": "$server_protocol", "%r": "$request", "%ID": "$request_id", "%Tl": "$time_local", "%H": "$hostname", "%pid": "$pid", "%b": "$pool", "%s": "$upstream",
	"%sslv": "$ssl_protocol", "%sslc": "$ssl_cipher",
	"%[src]": "$remote_addr", "%[src_port]": "$remote_port", "%[method]": "$request_method", "%[path]": "$uri", "%[capture.req.uri]": "$request_uri", "%[capture.req.method]": "$request_method",
	"%[status]": "$status", "%[unique-id]": "$request_id", "%[ssl_fc_protocol]": "$ssl_protocol", "%[ssl_fc_sni]": "$ssl_server_name",
}

var logWord = regexp.MustCompile(`%(?:\{[^{}]*\})?(?:\[[^\[\]]*\]|\w+)`)

// logLine replaces HAProxy's variables by goodgate's. unknown is the first variable
// that goodgate lacks.
func logLine(text string) (line, unknown string) {
	quotes := strings.ReplaceAll(text, "%{+Q}", "\x00%") // the value in quotes
	line = strings.ReplaceAll(logWord.ReplaceAllStringFunc(strings.ReplaceAll(quotes, "%%", "\x01"), func(v string) string {
		to, known := logAlias[v]
		m := fetched.FindStringSubmatch(strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(v, "%["), "]"), "req."))
		switch {
		case known:
			return to
		case m != nil && m[2]+m[4] == "" && strings.HasSuffix(m[1], "hdr") && isToken(m[3]):
			return "$http_" + strings.ReplaceAll(strings.ToLower(m[3]), "-", "_")
		case m != nil && m[2]+m[4] == "" && m[1] == "cook" && isToken(m[3]):
			return "$cookie_" + m[3]
		}
		if unknown == "" {
			unknown = v
		}
		return v
	}), "\x01", "%")
	return quotedValues.ReplaceAllString(line, `"$1"`), unknown
}

var quotedValues = regexp.MustCompile("\x00(\\$\\w+)")
