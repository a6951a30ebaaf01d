package convert

import (
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
	"github.com/goodgate/goodgate/internal/logging"
)

// accessLog is what is known of the log.
type accessLog struct {
	format, escape string
	output         string // a server of syslog; files are left to the operator
	facility, app  string
}

// empty reports whether goodgate's defaults do.
func (l accessLog) empty() bool { return l == accessLog{} }

// accessLog converts the access log that all servers have.
func (n *nginx) accessLog() {
	logs := named(n.http, "access_log")
	if len(logs) == 0 {
		for _, d := range named(n.http, "server") {
			logs = append(logs, named(d.Block, "access_log")...)
		}
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
	if n.file.log = l; l.empty() {
		return
	}
	if slices.ContainsFunc(logs[1:], func(d *nginxconf.Directive) bool { return !slices.Equal(d.Args, first.Args) }) {
		n.note(first.At(), "access_log", "there are others: log.outputs has more than one, and log of a route chooses among them")
	}
	if l.output == "" {
		n.note(first.At(), "access_log", "has its format, and goes to standard error: log.output names a file")
	}
}

// logFormat finds the format of a log. It is false for one that cannot be had.
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
			n.note(f.At(), "log_format "+name, "is left out, and goodgate has its own format: %v", errOr(err, "it has no variable"))
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

// syslog converts where messages go: server=HOST:PORT,facility=local7,tag=nginx.
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
			n.note(d.At(), "access_log", "%s has no equivalent: the severity follows the request's end, and messages have the host's name", key)
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
	if l.output != "" {
		w.line("  output: %s", quote(l.output))
		w.line("  syslog: {facility: %s, app_name: %s}", quote(l.facility), quote(l.app))
	}
}
