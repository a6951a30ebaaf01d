package convert

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// connectionSetting is a directive for client connections, and the equivalent key of a
// listener.
type connectionSetting struct {
	directive, key string
	value          func(d *nginxconf.Directive) (text string, ok bool)
}

// connectionSettings are the directives that goodgate has an equivalent for. If a
// directive is absent, goodgate's default applies.
var connectionSettings = []connectionSetting{
	{"client_header_timeout", "timeouts.header", spanOf(10*time.Millisecond, 10*time.Minute)},
	{"client_body_timeout", "timeouts.body_idle", spanOf(10*time.Millisecond, time.Hour)},
	{"send_timeout", "timeouts.write_idle", spanOf(10*time.Millisecond, time.Hour)},
	{"keepalive_timeout", "timeouts.keepalive", spanOf(100*time.Millisecond, time.Hour)},
	{"keepalive_time", "timeouts.connection_age", spanOf(time.Second, 8760*time.Hour)},
	{"keepalive_requests", "requests_per_connection", numberOf(1, 1_000_000_000)},
	{"http2_max_concurrent_streams", "http2.max_streams", numberOf(1, 10_000)},
	{"large_client_header_buffers", "max_header", headerSize},
}

// connections converts the settings for client connections of a listener's servers.
// They must agree, because goodgate has one value for a listener.
func (n *nginx) connections(l *listener) {
	for _, c := range connectionSettings {
		n.use(named(n.http, c.directive)...)
		var said []string
		for _, s := range n.Servers {
			if !slices.Contains(n.listening(s), l.address) {
				continue
			}
			d := scope{n.http, s.Block}.one(c.directive)
			n.use(named(s.Block, c.directive)...)
			text, ok := "", true
			if d.Name != "" {
				text, ok = c.value(d)
			}
			if !ok {
				text = ""
				n.note(d.At(), d.Name, "left out: the listener's %s cannot have this value", c.key)
			}
			if said = withWord(said, text); l.settings[c.key] == "" && text != "" {
				l.settings = with(l.settings, c.key, text)
			}
		}
		if len(said) > 1 {
			n.note("", c.directive, "differs between the servers at %s, but a listener has one value: %s: %s", l.address, c.key, l.settings[c.key])
		}
	}
}

// spanOf reads a duration within bounds.
func spanOf(least, most time.Duration) func(*nginxconf.Directive) (string, bool) {
	return func(d *nginxconf.Directive) (string, bool) {
		span, ok := nginxconf.Duration(d.Arg(0))
		return span.String(), ok && span >= least && span <= most
	}
}

func numberOf(least, most int) func(*nginxconf.Directive) (string, bool) {
	return func(d *nginxconf.Directive) (string, bool) {
		number, err := strconv.Atoi(d.Arg(0))
		return strconv.Itoa(number), err == nil && number >= least && number <= most
	}
}

// headerSize returns the size that "large_client_header_buffers 4 8k" allows for a
// whole header.
func headerSize(d *nginxconf.Directive) (string, bool) {
	count, err := strconv.Atoi(d.Arg(0))
	text := strings.ToLower(d.Arg(1))
	unit := map[string]int64{"k": 1 << 10, "m": 1 << 20}[text[max(len(text)-1, 0):]]
	bytes, err2 := strconv.ParseInt(strings.TrimRight(text, "km"), 10, 32)
	all := bytes * max(unit, 1) * int64(count)
	return size(all), err == nil && err2 == nil && count > 0 && count <= 1000 && all >= 1<<10 && all <= 16<<20
}

// settingsOf returns the settings below a key of a listener, as a flow mapping without
// braces.
func (l *listener) settingsOf(key string) string {
	var parts []string
	for _, c := range connectionSettings {
		if name, ok := strings.CutPrefix(c.key, key+"."); ok && l.settings[c.key] != "" {
			parts = append(parts, name+": "+l.settings[c.key])
		}
	}
	return strings.Join(parts, ", ")
}
