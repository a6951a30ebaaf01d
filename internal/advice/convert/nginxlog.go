package convert

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
	"github.com/goodgate/goodgate/internal/logging"
)

// accessLog holds the settings of the log.
type accessLog struct {
	format, escape string
	output         string // a server of syslog; files are left to the operator
	facility, app  string
	statuses       []string // statuses that are logged; empty = all
}

// empty reports whether goodgate's defaults apply.
func (l accessLog) empty() bool { return l.format+l.output == "" && len(l.statuses) == 0 }

// isUnlogged reports whether requests of a block are not logged.
func isUnlogged(sc scope) bool {
	list := sc.any("access_log")
	return len(list) == 1 && list[0].Arg(0) == "off"
}

// loggedIf converts the condition of a log, if it is about the status.
func (n *nginx) loggedIf(d *nginxconf.Directive, l *accessLog) {
	i := slices.IndexFunc(d.Args, func(s string) bool { return strings.HasPrefix(s, "if=") })
	if i < 0 {
		return
	}
	name := strings.TrimPrefix(d.Args[i], "if=")
	for _, m := range n.http {
		if m.Name != "map" || len(m.Args) != 2 || m.Arg(0) != "$status" || m.Arg(1) != name {
			continue
		}
		if statuses, ok := loggedStatuses(m); ok {
			l.statuses = statuses
			n.use(m)
			return
		}
	}
	n.note(d.At(), "access_log "+d.Args[i], "left out, and all requests are logged: goodgate has no such condition (see log.only, and log of a route)")
}

// loggedStatuses returns the ranges of statuses for which a map gives a value that is
// neither empty nor 0.
func loggedStatuses(m *nginxconf.Directive) (ranges []string, ok bool) {
	value := func(status string) (string, bool) {
		rest := ""
		for _, in := range m.Block {
			if re, isExpression := strings.CutPrefix(in.Name, "~"); isExpression {
				compiled, err := regexp.Compile(re)
				if err != nil {
					return "", false
				}
				if compiled.MatchString(status) {
					return in.Arg(0), true
				}
			}
			if in.Name == status {
				return in.Arg(0), true
			}
			if in.Name == "default" {
				rest = in.Arg(0)
			}
		}
		return rest, true
	}
	begin := 0
	for status := 100; status <= 600; status++ {
		v, can := value(strconv.Itoa(status))
		if !can {
			return nil, false
		}
		logged := v != "" && v != "0" && status < 600
		switch {
		case logged && begin == 0:
			begin = status
		case !logged && begin > 0:
			text := strconv.Itoa(begin)
			if begin < status-1 {
				text += "-" + strconv.Itoa(status-1)
			}
			ranges, begin = append(ranges, text), 0
		}
	}
	return ranges, len(ranges) > 0
}

// accessLog converts the access log that all servers share.
func (n *nginx) accessLog() {
	logs := named(n.http, "access_log")
	for _, d := range named(n.http, "server") {
		logs = append(append(logs, named(d.Block, "access_log")...), below(d.Block, "access_log")...)
	}
	logs = slices.DeleteFunc(logs, func(d *nginxconf.Directive) bool { return d.Arg(0) == "off" })
	if len(logs) == 0 {
		return
	}
	first := logs[0]
	var l accessLog
	if !n.logFormat(first, &l) {
		return
	}
	if settings, ok := strings.CutPrefix(first.Arg(0), "syslog:"); ok {
		n.syslog(first, settings, &l)
	}
	n.loggedIf(first, &l)
	if n.file.log = l; l.empty() {
		return
	}
	if slices.ContainsFunc(logs[1:], func(d *nginxconf.Directive) bool { return !slices.Equal(d.Args, first.Args) }) {
		n.note(first.At(), "access_log", "convert uses the first log. For more outputs, set log.outputs, and choose among them with log of a route")
	}
	if l.output == "" && l.format != "" {
		n.note(first.At(), "access_log", "goodgate logs in this format to standard error. For a file, set log.output")
	}
}

// logFormat converts the format of a log. It returns false if goodgate cannot have it.
func (n *nginx) logFormat(d *nginxconf.Directive, l *accessLog) bool {
	name := d.Arg(1)
	if name == "" || name == "combined" || strings.Contains(name, "=") {
		if strings.HasPrefix(d.Arg(0), "syslog:") {
			l.format = "combined"
		}
		return true
	}
	for _, f := range named(n.http, "log_format") {
		if f.Arg(0) != name || len(f.Args) < 2 {
			continue
		}
		text := f.Args[1:]
		if escape, ok := strings.CutPrefix(text[0], "escape="); ok {
			if l.escape = escape; escape == "default" {
				l.escape = ""
			}
			text = text[1:]
		}
		l.format = strings.Join(text, "")
		err := error(nil)
		if strings.Contains(l.format, "$") {
			_, err = logging.Options{Format: l.format}.Check()
		}
		if err != nil || !strings.Contains(l.format, "$") {
			n.note(f.At(), "log_format "+name, "left out, and goodgate uses its own format: %v", errOr(err, "this one has no variable"))
			*l = accessLog{}
			return false
		}
		return true
	}
	return false
}

func errOr(err error, text string) string {
	if err != nil {
		return err.Error()
	}
	return text
}

// syslog converts the target of syslog messages:
// server=HOST:PORT,facility=local7,tag=nginx.
func (n *nginx) syslog(d *nginxconf.Directive, settings string, l *accessLog) {
	l.facility, l.app = "local7", "nginx"
	for setting := range strings.SplitSeq(settings, ",") {
		switch key, value, _ := strings.Cut(setting, "="); key {
		case "server":
			if path, ok := strings.CutPrefix(value, "unix:"); ok {
				l.output = "syslog+unix://" + path
			} else {
				l.output = "syslog+udp://" + value
			}
		case "facility":
			l.facility = value
		case "tag":
			l.app = value
		case "severity", "nohostname":
			n.note(d.At(), "access_log", "%s is left out: goodgate chooses the severity by the outcome of the request, and always sends the host's name", key)
		}
	}
}

func (l accessLog) write(w *writer) {
	if l.empty() {
		return
	}
	w.line("log:")
	if l.format != "" {
		w.line("  format: %s", quote(l.format))
	}
	if l.escape != "" {
		w.line("  escape: %s", word(l.escape))
	}
	if len(l.statuses) > 0 {
		w.line("  only: {status: %s}", list(l.statuses))
	}
	if l.output != "" {
		w.line("  output: %s", quote(l.output))
	}
	if l.facility != "" {
		w.line("  syslog: {facility: %s, app_name: %s}", quote(l.facility), quote(l.app))
	}
}
